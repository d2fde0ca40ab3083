//! Branches: a few that are always there. What they have of each stream is its history without the last event.

use std::collections::BTreeMap;

use whodunit_core::api::branch::{
    BranchCompareOut, BranchFlip, BranchLine, BranchOut, BranchPage, BranchPatch, BranchStream,
    LogStanding, WorldOutcome,
};
use whodunit_core::api::what_if::{Causes, DropEdit, Edit};
use whodunit_core::branch::{Branch, BuiltOn, Layer, LayerBase, LogPoint};
use whodunit_core::diff::{DiffEntry, diff};
use whodunit_core::ids::{Position, Revision, StreamName};

use super::super::{sarah, time};
use super::{Daemon, HEAD};
use crate::client::{At, CompareQuery};
use crate::effect::Failure;
use crate::request::{Keep, Reply, Request};

/// A branch that is kept already.
pub(crate) const KEPT: &str = "there";
/// One that was made on another log.
const ELSEWHERE: &str = "elsewhere";
const NAMES: [&str; 5] = [ELSEWHERE, "many", "no-suspension", KEPT, "upon-it"];

fn refused(code: &str, message: String, hint: &str) -> Failure {
    Failure {
        code: Some(code.to_owned()),
        message,
        hint: Some(hint.to_owned()),
        no_answer: None,
    }
}

impl Daemon {
    /// What the daemon replies where a branch is read.
    pub(crate) fn answer_in(
        &self,
        request: &Request,
        branch: Option<&str>,
    ) -> Result<Reply, Failure> {
        self.in_branch(branch)?.answer(request)
    }

    /// The same store as a branch has it.
    pub(crate) fn in_branch(&self, branch: Option<&str>) -> Result<Self, Failure> {
        let Some(name) = branch else {
            return Ok(self.clone());
        };
        let out = Self::branch(name)?;
        if out.log_standing == LogStanding::Other {
            return Err(refused(
                "other_history",
                format!("the branch `{name}` was made on another log"),
                "`whodunit branch adopt` accepts it anyway",
            ));
        }
        let mut other = self.clone();
        let last: BTreeMap<StreamName, Revision> = self
            .events
            .iter()
            .map(|event| (event.stream.clone(), event.revision))
            .collect();
        other.events.retain(|event| {
            event.revision.0 == 1 || last.get(&event.stream) != Some(&event.revision)
        });
        Ok(other)
    }

    pub(super) fn branches(&self, cursor: Option<&str>) -> BranchPage {
        let lines = if self.events.is_empty() {
            &[][..]
        } else {
            &NAMES
        };
        let lines = lines.iter().map(|name| {
            let out = Self::branch(name).unwrap();
            let branch = out.branch;
            BranchLine {
                edits: branch
                    .layers
                    .iter()
                    .map(|layer| layer.edits.len() as u64)
                    .sum(),
                actions: 0,
                name: branch.name,
                revision: branch.revision,
                note: branch.note,
                actor: branch.actor,
                created_at: branch.created_at,
                changed_at: branch.changed_at,
                on: branch.on,
                stream: branch.stream,
                log_standing: out.log_standing,
            }
        });
        let lines: Vec<BranchLine> = lines.collect();
        let branches = lines.len() as u64;
        let page = self.page(lines, None, cursor);
        BranchPage {
            items: page.items,
            next_cursor: page.next_cursor,
            branches,
            unreadable: 1,
        }
    }

    pub(super) fn branch(name: &str) -> Result<BranchOut, Failure> {
        if !NAMES.contains(&name) {
            return Err(refused(
                "no_such_branch",
                format!("there is no branch `{name}`"),
                "`whodunit branch list` lists them",
            ));
        }
        Ok(Self::branch_of(name))
    }

    fn branch_of(name: &str) -> BranchOut {
        let layer = |revision| Layer {
            stream: sarah(),
            base: LayerBase {
                revision: Revision(4),
                position: Position(HEAD),
                at: time("2025-03-24T15:47:23Z"),
                before_decision: None,
                after_decision: Some(9),
            },
            edits: vec![Edit::Drop(DropEdit {
                revision: Revision(revision),
            })],
            actions: Vec::new(),
        };
        let is_upon = name == "upon-it";
        let layers = if is_upon {
            vec![layer(3), layer(2)]
        } else {
            vec![layer(3)]
        };
        let branch = Branch {
            name: name.to_owned(),
            revision: 1,
            stream: sarah(),
            note: (name == "many").then(|| "for \u{1b}[31mthe\u{202e} review".to_owned()),
            actor: Some("support-7".to_owned()),
            created_at: time("2025-03-25T08:00:00Z"),
            changed_at: time("2025-03-25T08:30:00Z"),
            on: is_upon.then(|| BuiltOn {
                name: "no-suspension".to_owned(),
                revision: 1,
            }),
            layers,
            causes: Causes::default(),
            password_correct: None,
            log: LogPoint {
                store_id: "store".to_owned(),
                position: Position(HEAD),
                decision: 9,
                head_hash: None,
                event_hash: None,
                decision_hash: None,
            },
            rules: BTreeMap::new(),
        };
        BranchOut {
            branch,
            log_standing: match name {
                ELSEWHERE => LogStanding::Other,
                "many" => LogStanding::Grown,
                _ => LogStanding::Same,
            },
            warnings: Vec::new(),
            redacted: Vec::new(),
        }
    }

    pub(super) fn keep(kept: &Keep) -> Result<BranchOut, Failure> {
        if kept.name == KEPT && !kept.replace {
            return Err(refused(
                "branch_exists",
                format!("branch `{KEPT}` already exists"),
                "choose another name",
            ));
        }
        Ok(Self::branch_of(&kept.name))
    }

    pub(super) fn adopt(name: &str) -> Result<BranchOut, Failure> {
        let mut out = Self::branch(name)?;
        out.log_standing = LogStanding::Grown;
        Ok(out)
    }

    pub(super) fn rename(name: &str, patch: &BranchPatch) -> Result<BranchOut, Failure> {
        let mut out = Self::branch(name)?;
        if let Some(name) = &patch.name {
            out.branch.name.clone_from(name);
        }
        Ok(out)
    }

    pub(super) fn compare_branch(
        &self,
        name: &str,
        query: &CompareQuery,
    ) -> Result<BranchCompareOut<BranchStream>, Failure> {
        let (there, with) = (
            self.in_branch(Some(name))?,
            self.in_branch(query.with.as_deref())?,
        );
        let streams = self.names().into_iter().filter_map(|stream| {
            let (from, to) = (
                with.state(&stream, At::Head).ok()?,
                there.state(&stream, At::Head).ok()?,
            );
            let diff: Vec<DiffEntry> = diff(&from.state, &to.state);
            (from.revision != to.revision).then(|| BranchStream {
                stream,
                from_revision: from.revision,
                to_revision: to.revision,
                first_divergence: Some(from.revision),
                diff,
                redacted: Vec::new(),
            })
        });
        let streams: Vec<BranchStream> = streams.collect();
        let total = streams.len() as u64;
        let page = self.page(streams, query.limit, query.cursor.as_deref());
        let outcome = |word: &str, rule: Option<&str>| WorldOutcome {
            outcome: word.to_owned(),
            rule: rule.map(str::to_owned),
            events: u64::from(rule.is_none()),
        };
        let flip = BranchFlip {
            command_id: "cmd-1".to_owned(),
            decision: Some(7),
            stream: sarah(),
            command_type: "ChangeEmail".to_owned(),
            actor: Some("sarah".to_owned()),
            from: outcome("rejected", Some("user.suspended")),
            to: outcome("accepted", None),
        };
        let flips = if total > 0 { vec![flip] } else { Vec::new() };
        Ok(BranchCompareOut {
            with: query.with.clone().unwrap_or_else(|| "log".to_owned()),
            with_branch: None,
            answer: format!("it is {name}"),
            streams: page.items,
            streams_total: total,
            next_cursor: page.next_cursor,
            flips_total: flips.len() as u64,
            flips,
        })
    }
}
