//! The functions of the sample workflows, for Lambda: deploy this binary once for each of them, under the function's own name
//! (with any prefix that ends in a hyphen, such as `workflow-media-probe`). `cargo lambda build --release --example
//! sample-functions` builds it.

use flowgate::engine::embedded::samples;
use lambda_http::lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let name = std::env::var("AWS_LAMBDA_FUNCTION_NAME")?;
    if samples::call(&name, &Value::Null).is_none() {
        return Err(format!("`{name}` is none of the sample functions").into());
    }
    run(service_fn(|event: LambdaEvent<Value>| {
        let outcome = samples::call(&name, &event.payload);
        async move {
            match outcome {
                Some(Ok(output)) => Ok(output),
                // Returned and not thrown: Lambda's errors have no room for the `errorCode` that error routes look at, and
                // the routes look at what is returned as well.
                Some(Err(failure)) => Ok(serde_json::from_str(&failure.cause)?),
                None => Err(Error::from("the function's name has changed")),
            }
        }
    }))
    .await
}
