//! `flowgate serve`.

use std::net::SocketAddr;

use anyhow::{Context, Result, anyhow};
use tokio::net::TcpListener;

use super::sign;
use crate::app::App;
use crate::auth::Credential;
use crate::config::{Config, CredentialsFrom, Gateway};
use crate::gateway::{http, lambda};

pub(super) async fn run(config: &Config) -> Result<()> {
    super::start_log(config);
    match config.gateway {
        Gateway::Lambda => {
            let app = App::build(config).await?;
            let function = lambda::Function::new(app.apis, &config.base_path, app.jobs);
            lambda::run(function).await.map_err(|error| anyhow!(error)).context("the Lambda runtime ended")
        }
        Gateway::Http(address) => {
            // The port first: a second process fails here, before it touches the data.
            let listener =
                TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} (set PORT)"))?;
            let address = listener.local_addr()?;
            let app = App::build(config).await?;
            tracing::info!(%address, "listening");
            if let Some(credential) = app.credentials.as_deref().and_then(|all| all.first()).filter(|_| config.local) {
                greet(config, address, credential)?;
            }
            http::run(listener, app.apis, &config.base_path).await;
            Ok(())
        }
    }
}

/// Says on the terminal how to start something. What it prints may end up in a log, so only the public sample secret is
/// shown, and only a signature made with it.
#[expect(clippy::print_stdout, reason = "this is what a person at the terminal came for")]
fn greet(config: &Config, address: SocketAddr, credential: &Credential) -> Result<()> {
    let url = format!("http://{address}{}", config.base_path);
    if config.credentials != CredentialsFrom::Sample {
        println!("\nflowgate answers on {url}\n\n`flowgate sign curl` makes a signed request.\n");
        return Ok(());
    }
    let project = &credential.grant.project_id;
    let start = format!("{url}/v2/workflows/media-transcode");
    let body = "{\"bucket\":\"demo-bucket\",\"object\":\"videos/demo.mp4\"}";
    let curl = sign::curl_line(config, credential, "POST", &start, body, &[])?;
    let (access_key, secret_key) = (&credential.access_key, credential.secret_key.reveal());
    println!(
        "
flowgate answers on {url}

  access key  {access_key}
  secret key  {secret_key}
  project id  {project}

Start a workflow (the signature is good for 15 minutes; `flowgate sign curl` makes another):

  {curl}

Or with the vendor's Python SDK (pip install huaweicloudsdkfunctiongraph):

  from huaweicloudsdkcore.auth.credentials import BasicCredentials
  from huaweicloudsdkfunctiongraph.v2 import *

  client = FunctionGraphClient.new_builder() \\
      .with_credentials(BasicCredentials(\"{access_key}\", \"{secret_key}\", \"{project}\")) \\
      .with_endpoint(\"{url}\") \\
      .build()
  request = StartWorkflowExecutionRequest(workflow_id=\"order-fanout\")
  request.body = FlowExecuteBody(input={{\"bucket\": \"orders\", \"object\": \"18.json\"}})
  print(client.start_workflow_execution(request).execution_id)
"
    );
    Ok(())
}
