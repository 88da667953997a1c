//! The floor as a program.

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    flowgate_bench::floor::run().await
}
