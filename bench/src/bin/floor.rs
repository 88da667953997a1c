//! The floor as a program.

fn main() -> Result<(), lambda_http::Error> {
    flowgate_bench::runtime::of_environment()?.block_on(flowgate_bench::floor::run())
}
