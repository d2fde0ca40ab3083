//! Statistics of a table of two by two.

/// How many of the selection have a value, how many there are; how many of the rest have it, how many there are.
pub(super) type Table = [u64; 4];

/// The 97.5 % point of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn real(count: u64) -> f64 {
    count as f64
}

/// The log-likelihood ratio of a table against that of equal shares: 2 Σ O ln(O/E).
pub(super) fn g_squared([a, n, b, m]: Table) -> f64 {
    let (have, all) = (real(a + b), real(n + m));
    let cell = |observed: u64, of: u64, share: f64| {
        if observed == 0 {
            return 0.0;
        }
        let expected = real(of) * share;
        real(observed) * (real(observed) / expected).ln()
    };
    let (with, without) = (have / all, 1.0 - have / all);
    let sum =
        cell(a, n, with) + cell(n - a, n, without) + cell(b, m, with) + cell(m - b, m, without);
    (2.0 * sum).max(0.0)
}

/// Wilson's interval of a share.
fn wilson(has: u64, of: u64) -> (f64, f64) {
    if of == 0 {
        return (0.0, 1.0);
    }
    let (n, share) = (real(of), real(has) / real(of));
    let middle = share + Z * Z / (2.0 * n);
    let reach = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    ((middle - reach) / scale, (middle + reach) / scale)
}

/// The difference of two shares and its 95 % interval, by Newcombe's tenth method.
pub(super) fn newcombe([a, n, b, m]: Table) -> (f64, f64, f64) {
    let share = |has: u64, of: u64| if of == 0 { 0.0 } else { real(has) / real(of) };
    let (one, other) = (share(a, n), share(b, m));
    let ((low_one, high_one), (low_other, high_other)) = (wilson(a, n), wilson(b, m));
    let difference = one - other;
    let low = difference - ((one - low_one).powi(2) + (high_other - other).powi(2)).sqrt();
    let high = difference + ((high_one - one).powi(2) + (other - low_other).powi(2)).sqrt();
    (difference, low, high)
}

/// Logarithms of factorials.
pub(super) struct LogFactorials(Vec<f64>);

impl LogFactorials {
    pub(super) fn up_to(n: u64) -> Self {
        let mut sum = 0.0;
        let mut logs = vec![0.0];
        for factor in 1..=n {
            sum += real(factor).ln();
            logs.push(sum);
        }
        Self(logs)
    }

    fn log(&self, n: u64) -> f64 {
        let index = usize::try_from(n).unwrap_or(usize::MAX);
        self.0.get(index).copied().unwrap_or_default()
    }

    fn choose(&self, n: u64, k: u64) -> f64 {
        self.log(n) - self.log(k) - self.log(n - k)
    }

    /// The probability that at least so many of the selection have the value, when those that have it are spread by chance
    /// (Fisher's exact test, one-sided).
    pub(super) fn at_least(&self, [a, n, b, m]: Table) -> f64 {
        let have = a + b;
        let all = self.choose(n + m, have);
        let most = n.min(have);
        let terms = (a..=most).filter(|selected| have - selected <= m);
        let sum: f64 = terms
            .map(|selected| {
                (self.choose(n, selected) + self.choose(m, have - selected) - all).exp()
            })
            .sum();
        sum.min(1.0)
    }
}
