//! Requests about branches.

use reqwest::Method;
use whodunit_core::api::branch::{
    BranchCompareOut, BranchIn, BranchOut, BranchPage, BranchPatch, BranchStream,
};
use whodunit_core::api::segment;
use whodunit_core::api::what_if::{Causes, WhatIfIn};
use whodunit_core::branch::BranchFile;

use super::query::Params;
use super::{Client, ClientError, REQUEST_TIMEOUT};

/// Of a comparison of two worlds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CompareQuery {
    /// The branch that it is compared with; the log when absent.
    pub with: Option<String>,
    /// Where to go on.
    pub cursor: Option<String>,
    /// Streams at most.
    pub limit: Option<usize>,
    /// Whether to show secrets.
    pub reveal: bool,
}

fn path(name: &str, rest: &str) -> String {
    format!("/v1/branches/{}{rest}", segment(name))
}

/// Paths that are read from a branch where one is named: all that a branch has, and what refuses it.
pub(super) fn reads_a_branch(method: &Method, path: &str) -> bool {
    const OF_THE_STORE: [&str; 6] = [
        "/v1/health",
        "/v1/categories",
        "/v1/models",
        "/v1/names",
        "/v1/notes",
        "/v1/branches",
    ];
    let is_of_the_store = OF_THE_STORE.iter().any(|own| path.starts_with(own));
    let asks = *method == Method::GET || matches!(path, "/v1/bisect" | "/v1/what-if");
    asks && !is_of_the_store
}

impl Client {
    /// `GET /v1/branches`.
    pub async fn branches(
        &self,
        cursor: Option<&str>,
        limit: Option<usize>,
    ) -> Result<BranchPage, ClientError> {
        let mut params = Params::new();
        params.opt("cursor", cursor);
        params.opt("limit", limit);
        self.get("/v1/branches", &params).await
    }

    /// `GET /v1/branches/{name}`.
    pub async fn branch(&self, name: &str) -> Result<BranchOut, ClientError> {
        self.get(&path(name, ""), &Params::new()).await
    }

    /// `POST /v1/branches`.
    pub async fn create_branch(&self, branch: &BranchIn) -> Result<BranchOut, ClientError> {
        self.post("/v1/branches", &Params::new(), branch).await
    }

    /// `PUT /v1/branches/{name}`.
    pub async fn put_branch(
        &self,
        name: &str,
        branch: &BranchIn,
    ) -> Result<BranchOut, ClientError> {
        let request = self.request(Method::PUT, &path(name, ""), &Params::new())?;
        self.exchange(request.json(branch)).await
    }

    /// `PATCH /v1/branches/{name}`.
    pub async fn change_branch(
        &self,
        name: &str,
        patch: &BranchPatch,
    ) -> Result<BranchOut, ClientError> {
        let request = self.request(Method::PATCH, &path(name, ""), &Params::new())?;
        self.exchange(request.json(patch)).await
    }

    /// `DELETE /v1/branches/{name}`.
    pub async fn remove_branch(&self, name: &str) -> Result<BranchOut, ClientError> {
        self.send(Method::DELETE, &path(name, "")).await
    }

    /// `GET /v1/branches/{name}/export`.
    pub async fn export_branch(&self, name: &str, reveal: bool) -> Result<BranchFile, ClientError> {
        let mut params = Params::new();
        params.flag("reveal", reveal);
        self.get(&path(name, "/export"), &params).await
    }

    /// `POST /v1/branches/import`: the file's own text, which the daemon reads.
    pub async fn import_branch(
        &self,
        file: String,
        name: Option<&str>,
    ) -> Result<BranchOut, ClientError> {
        let mut params = Params::new();
        params.opt("name", name);
        let request = self.request(Method::POST, "/v1/branches/import", &params)?;
        let request = request
            .header("content-type", "application/json")
            .body(file);
        self.exchange(request).await
    }

    /// `GET /v1/branches/{name}/compare`.
    pub async fn compare_branch(
        &self,
        name: &str,
        query: &CompareQuery,
    ) -> Result<BranchCompareOut<BranchStream>, ClientError> {
        let mut params = Params::new();
        params.opt("with", query.with.as_ref());
        params.opt("cursor", query.cursor.as_ref());
        params.opt("limit", query.limit);
        params.flag("reveal", query.reveal);
        let request = self.request(Method::GET, &path(name, "/compare"), &params)?;
        self.within(2 * REQUEST_TIMEOUT, async {
            let response = self.accept(request.send().await).await?;
            self.decode(response).await
        })
        .await
    }
}

/// A what-if as it is kept: without a name yet.
pub fn branch_of(asked: WhatIfIn, on: Option<&str>, actor: Option<&str>) -> BranchIn {
    BranchIn {
        name: None,
        note: None,
        actor: actor.map(str::to_owned),
        on: on.map(str::to_owned),
        stream: asked.stream,
        at_revision: asked.at_revision,
        as_of: asked.as_of,
        at_position: asked.at_position,
        at_decision: asked.at_decision,
        password_correct: asked.password_correct,
        edits: asked.edits,
        actions: asked.actions,
        continuation: None,
        causes: (asked.causes != Causes::default()).then_some(asked.causes),
    }
}
