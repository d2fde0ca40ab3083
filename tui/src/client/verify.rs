//! Requests of verifications.

use reqwest::Method;
use whodunit_core::api::verify::VerifyLine;

use super::query::Params;
use super::{Client, ClientError, Lines};

impl Client {
    /// `POST /v1/verify`: how far it is comes line by line, and at the end what was found.
    pub async fn verify(&self, quick: bool) -> Result<Lines<VerifyLine>, ClientError> {
        let mut params = Params::new();
        params.flag("quick", quick);
        let request = self.request(Method::POST, "/v1/verify", &params)?;
        let response = self.open(request).await?;
        Ok(Lines::of(self, response))
    }
}
