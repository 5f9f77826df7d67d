//! From a value to its place along an axis, and where the axis is marked.

/// The most marks that a linear axis gets beside its zero.
const LINEAR_MARKS_MAX: f64 = 6.0;
/// An axis of powers gets marks between the powers of ten where there are fewer of those.
const POWERS_MIN: usize = 5;

/// The range of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    /// From zero, in equal steps.
    Linear { to: f64 },
    /// Equal distances are equal factors. Both ends are positive.
    Log { from: f64, to: f64 },
}

impl Scale {
    /// From zero to a round number that is not below any of these.
    pub(super) fn linear(values: impl Iterator<Item = f64>) -> Scale {
        let greatest = values.fold(0.0, f64::max);
        let greatest = if greatest > 0.0 { greatest } else { 1.0 };
        let step = step(greatest);
        Scale::Linear { to: (greatest / step).ceil() * step }
    }

    /// From zero to the greatest of these, wherever that is.
    pub(super) fn linear_to(to: f64) -> Scale {
        Scale::Linear { to: if to > 0.0 { to } else { 1.0 } }
    }

    /// Between round numbers that enclose all of these that are positive.
    pub(super) fn log(values: impl Iterator<Item = f64>) -> Scale {
        let (least, greatest) = values
            .filter(|value| *value > 0.0)
            .fold((f64::INFINITY, 0.0), |(least, greatest), value| (value.min(least), value.max(greatest)));
        if greatest <= 0.0 {
            return Scale::Log { from: 1.0, to: 10.0 };
        }
        let round = |value: f64, up: bool| {
            let power = 10_f64.powf(value.log10().floor());
            let marks = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
            let found = if up {
                marks.iter().find(|mark| **mark >= value * 0.999)
            } else {
                marks.iter().rfind(|mark| **mark <= value * 1.001)
            };
            found.copied().unwrap_or(power)
        };
        let (from, to) = (round(least, false), round(greatest, true));
        Scale::Log { from, to: if to > from { to } else { from * 2.0 } }
    }

    /// 0 at the beginning of the axis to 1 at its end; what lies outside is moved to the nearer end.
    pub(super) fn place(self, value: f64) -> f64 {
        let place = match self {
            Scale::Linear { to } => value / to,
            Scale::Log { from, to } => (value.max(from) / from).ln() / (to / from).ln(),
        };
        place.clamp(0.0, 1.0)
    }

    /// The values where the axis is marked, in order.
    pub(super) fn marks(self) -> Vec<f64> {
        match self {
            Scale::Linear { to } => {
                let step = step(to);
                (0..).map(|index| f64::from(index) * step).take_while(|mark| *mark <= to * 1.0001).collect()
            }
            Scale::Log { from, to } => {
                let within = |factors: &[f64]| -> Vec<f64> {
                    let powers = (from.log10().floor() as i32)..=(to.log10().ceil() as i32);
                    let marks = powers.flat_map(|power| factors.iter().map(move |factor| factor * 10_f64.powi(power)));
                    marks.filter(|mark| (from * 0.999..=to * 1.001).contains(mark)).collect()
                };
                let powers = within(&[1.0]);
                if powers.len() < POWERS_MIN { within(&[1.0, 2.0, 5.0]) } else { powers }
            }
        }
    }
}

/// The round step that divides `range` into few enough parts.
fn step(range: f64) -> f64 {
    let least = range / LINEAR_MARKS_MAX;
    let power = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0].map(|factor| factor * power);
    steps.into_iter().find(|step| *step >= least * 0.999).unwrap_or(power * 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_and_are_marked_at_round_numbers() {
        let linear = |values: &[f64]| Scale::linear(values.iter().copied());
        assert_eq!(linear(&[3.0, 95_000.0]).marks(), [0.0, 20_000.0, 40_000.0, 60_000.0, 80_000.0, 100_000.0]);
        assert_eq!(linear(&[]).marks().last(), Some(&1.0));
        let log = |values: &[f64]| Scale::log(values.iter().copied());
        assert_eq!(log(&[0.23, 37.0]), Scale::Log { from: 0.2, to: 50.0 });
        assert_eq!(log(&[1.0, 1e5]).marks(), [1.0, 10.0, 100.0, 1000.0, 1e4, 1e5]);
        assert_eq!(log(&[0.3, 4.0]).marks(), [0.2, 0.5, 1.0, 2.0, 5.0]);
        assert_eq!(log(&[3.0, 4.0]).marks(), [2.0, 5.0]);
        assert_eq!(log(&[0.0]), Scale::Log { from: 1.0, to: 10.0 });
    }

    #[test]
    fn values_keep_their_order_and_stay_on_the_axis() {
        for scale in [Scale::linear_to(100.0), Scale::Log { from: 1.0, to: 100.0 }] {
            let places: Vec<f64> = [0.0, 1.0, 10.0, 100.0, 1000.0].map(|value| scale.place(value)).to_vec();
            assert!(places.is_sorted(), "{places:?}");
            assert!(places.iter().all(|place| (0.0..=1.0).contains(place)), "{places:?}");
        }
        assert!((Scale::Log { from: 1.0, to: 100.0 }.place(10.0) - 0.5).abs() < 1e-9);
    }
}
