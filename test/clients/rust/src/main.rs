//! The walk of the contract with async-openai, whose types refuse what they do not know.

use async_openai::config::OpenAIConfig;
use async_openai::types::embeddings::CreateEmbeddingRequestArgs;
use async_openai::types::files::{CreateFileRequestArgs, FileInput, FilePurpose};
use async_openai::types::vectorstores::{
    CreateVectorStoreFileRequest, CreateVectorStoreRequest, VectorStoreFileStatus, VectorStoreSearchQuery,
    VectorStoreSearchRequest,
};
use async_openai::types::InputSource;
use async_openai::Client;
use std::error::Error;
use std::time::Duration;

type Outcome = Result<(), Box<dyn Error>>;

const TEXT: &str = "Returns are accepted within 30 days.\n\nShipping is free above 50 euros.";

fn expect(holds: bool, what: impl std::fmt::Debug) -> Outcome {
    if holds {
        return Ok(());
    }
    Err(format!("{what:?}").into())
}

async fn embeddings(client: &Client<OpenAIConfig>) -> Outcome {
    let request = CreateEmbeddingRequestArgs::default()
        .model("text-embedding-3-small")
        .input(["a cat", "a dog"])
        .build()?;
    let answer = client.embeddings().create(request).await?;
    expect(answer.data.len() == 2 && answer.usage.total_tokens > 0, answer.usage)
}

async fn models(client: &Client<OpenAIConfig>) -> Outcome {
    expect(!client.models().list().await?.data.is_empty(), "no model")
}

async fn stores(client: &Client<OpenAIConfig>) -> Outcome {
    let store = client
        .vector_stores()
        .create(CreateVectorStoreRequest { name: Some("rust".into()), ..Default::default() })
        .await?;
    let upload = CreateFileRequestArgs::default()
        .file(FileInput {
            source: InputSource::VecU8 { filename: "returns.txt".into(), vec: TEXT.as_bytes().to_vec() },
        })
        .purpose(FilePurpose::Assistants)
        .build()?;
    let file = client.files().create(upload).await?;
    let files = client.vector_stores();
    let files = files.files(&store.id);
    files
        .create(CreateVectorStoreFileRequest { file_id: file.id.clone(), chunking_strategy: None, attributes: None })
        .await?;
    let mut attached = files.retrieve(&file.id).await?;
    for _ in 0..1200 {
        if attached.status != VectorStoreFileStatus::InProgress {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        attached = files.retrieve(&file.id).await?;
    }
    expect(attached.status == VectorStoreFileStatus::Completed, &attached)?;
    let page = client
        .vector_stores()
        .search(
            &store.id,
            VectorStoreSearchRequest {
                query: VectorStoreSearchQuery::Text("How long may I return something?".into()),
                rewrite_query: Some(true),
                max_num_results: Some(3),
                filters: None,
                ranking_options: None,
            },
        )
        .await?;
    expect(page.data.first().is_some_and(|hit| hit.content[0].text.contains("30 days")), &page)?;
    expect(client.vector_stores().delete(&store.id).await?.deleted, "not deleted")?;
    expect(client.files().delete(&file.id).await?.deleted, "not deleted")
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = std::env::var("LECTERN_URL").expect("LECTERN_URL");
    let key = std::env::var("LECTERN_API_KEY").expect("LECTERN_API_KEY");
    let client = Client::with_config(OpenAIConfig::new().with_api_base(format!("{url}/v1")).with_api_key(key));
    let outcomes = [
        ("embeddings", embeddings(&client).await),
        ("models", models(&client).await),
        ("stores", stores(&client).await),
    ];
    let mut failed = false;
    for (name, outcome) in outcomes {
        match outcome {
            Ok(()) => println!("ok {name}"),
            Err(error) => {
                failed = true;
                println!("FAIL {name}: {error}");
            }
        }
    }
    if failed {
        std::process::exit(1);
    }
}
