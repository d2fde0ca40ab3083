//! Something the daemon was asked for, wherever it is on its way.

use crate::effect::Failure;

/// Something the daemon was asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Remote<T> {
    /// Nothing was asked yet.
    #[default]
    Absent,
    /// It is on its way; what was there before stays on screen.
    Loading(Option<T>),
    /// Here it is.
    Ready(T),
    /// It could not be had.
    Failed(Failure),
}

impl<T> Remote<T> {
    /// What there is, be it old.
    pub(crate) fn value(&self) -> Option<&T> {
        match self {
            Self::Ready(value) | Self::Loading(Some(value)) => Some(value),
            Self::Absent | Self::Loading(None) | Self::Failed(_) => None,
        }
    }

    pub(crate) fn value_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Ready(value) | Self::Loading(Some(value)) => Some(value),
            Self::Absent | Self::Loading(None) | Self::Failed(_) => None,
        }
    }

    /// Asks again, keeping what there is.
    pub(crate) fn reload(&mut self) {
        *self = match std::mem::take(self) {
            Self::Ready(value) | Self::Loading(Some(value)) => Self::Loading(Some(value)),
            Self::Absent | Self::Loading(None) | Self::Failed(_) => Self::Loading(None),
        };
    }

    /// Nothing is on its way any more: what was there before is what there is.
    pub(crate) fn settle(&mut self) {
        *self = match std::mem::take(self) {
            Self::Loading(Some(value)) => Self::Ready(value),
            Self::Loading(None) => Self::Absent,
            other => other,
        };
    }

    /// It could not be had. What there is stays when the daemon is only away, which the top line says.
    pub(crate) fn fail(&mut self, failure: Failure, is_away: bool) {
        if is_away && self.value().is_some() {
            self.settle();
        } else {
            *self = Self::Failed(failure);
        }
    }

    pub(crate) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            Self::Absent | Self::Loading(_) | Self::Ready(_) => None,
        }
    }
}
