//! A bare lambda_http function.

use lambda_http::{Body, Error, Request, Response, service_fn};

fn main() -> Result<(), Error> {
    let hello = service_fn(|_: Request| async { Ok::<_, Error>(Response::new(Body::from("hello"))) });
    flowgate_bench::runtime::of_environment()?.block_on(lambda_http::run(hello))
}
