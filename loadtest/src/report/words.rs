//! The parts of a record in words: what was tested, on what, how, and whether it was right.

use super::numbers::{bytes, count, of, percent, plain, rate};
use crate::record::{Check, Load, Loop, Machine, Origin, RunRecord, Subject, SubjectKind, Transport};

/// `holdfast`.
pub(crate) fn subject_kind(kind: SubjectKind) -> &'static str {
    match kind {
        SubjectKind::Holdfast => "holdfast",
        SubjectKind::Redis => "redis",
        SubjectKind::Echo => "echo",
    }
}

/// `holdfast over QUIC`.
pub(crate) fn subject_and_transport(subject: &Subject) -> String {
    let what = subject_kind(subject.what);
    match subject.transport {
        Transport::Quic => format!("{what} over QUIC"),
        Transport::Rest => format!("{what} over REST"),
        Transport::InProcess => format!("{what} in process"),
        // Their names say it.
        Transport::Redis | Transport::Echo => what.to_owned(),
    }
}

/// `holdfast over QUIC, 0.1.0; sled, process, 3 ms; 2 workers, 16 shards`.
pub(crate) fn subject(subject: &Subject) -> String {
    let mut text = subject_and_transport(subject);
    if let Some(version) = &subject.version {
        text += &format!(", {version}");
    }
    if let Some(durability) = &subject.durability {
        text += &format!("; {durability}");
    }
    let workers = subject.workers.map(|workers| of(workers.into(), "worker"));
    let shards = subject.shards.map(|shards| of(shards.into(), "shard"));
    let threads: Vec<String> = workers.into_iter().chain(shards).collect();
    if !threads.is_empty() {
        text += &format!("; {}", threads.join(", "));
    }
    text
}

/// `2 x AMD EPYC, 8.0 GiB, Linux 6.1.0, load average 0.25`.
pub(crate) fn machine(machine: &Machine) -> String {
    let processor = machine.processor.as_deref().unwrap_or("unknown processor");
    let mut parts = vec![format!("{} x {processor}", machine.cores)];
    parts.extend(machine.memory_bytes.map(bytes));
    parts.extend(machine.kernel.clone());
    parts.extend(machine.load_average.map(|average| format!("load average {average:.2} before")));
    parts.join(", ")
}

/// `open loop, 100,000 requests/s`.
pub(crate) fn pace(load: &Load) -> String {
    match &load.pace {
        Loop::Closed { outstanding } => {
            format!(
                "closed loop, {} x {} outstanding",
                of(load.connections.into(), "connection"),
                count(u64::from(*outstanding))
            )
        }
        Loop::Open { rate: first, rate_last, steps } => {
            let rates = match (rate_last, steps.as_slice()) {
                (Some(last), _) => format!("{} to {}", rate(*first), rate(*last)),
                (None, []) => rate(*first),
                (None, steps) => {
                    let steps: Vec<String> =
                        steps.iter().map(|step| format!("{} for {} s", rate(step.rate), plain(step.seconds))).collect();
                    steps.join(", ")
                }
            };
            format!("open loop, {rates} requests/s over {}", of(load.connections.into(), "connection"))
        }
    }
}

/// The whole load.
pub(crate) fn load(load: &Load) -> String {
    let mut parts = vec![pace(load), of(load.agents.into(), "agent")];
    parts.extend(load.per_frame.map(|requests| format!("{} a frame", of(requests.into(), "request"))));
    if load.captures_share > 0.0 {
        let batch = load.capture_batch.map_or_else(String::new, |batch| format!(", {} a message", count(batch.into())));
        parts.push(format!("{} captured{batch}", percent(load.captures_share)));
    }
    parts.push(of(load.threads.into(), "thread"));
    let time = format!("{} s after {} s of warm-up", plain(load.seconds), plain(load.warm_up_seconds));
    format!("{}; {time}", parts.join(", "))
}

/// Where the time of an answer begins.
pub(crate) fn origin(from: Origin) -> &'static str {
    match from {
        Origin::Due => "the moment each request was due",
        Origin::Sent => "the moment each request was sent",
    }
}

/// `right` or `WRONG`.
pub(crate) fn verdict(check: &Check) -> &'static str {
    if check.right { "right" } else { "WRONG" }
}

/// What was compared, and what was found.
pub(crate) fn check(check: &Check) -> String {
    let (agents, limits) = (of(check.agents, "agent"), of(check.limits, "limit"));
    let found = if check.right {
        "nobody was past a limit, and both sides counted the same".to_owned()
    } else {
        of(check.problem_count, "problem")
    };
    format!("{found}: {agents}, {limits}, {}", of(check.approvals, "approval"))
}

/// Problems that are counted and not described.
pub(crate) fn more_problems(check: &Check) -> Option<String> {
    let more = check.problem_count.saturating_sub(check.problems.len() as u64);
    (more > 0).then(|| format!("and {} more", count(more)))
}

/// A name for each of several runs, as short as tells them apart.
pub(crate) fn names(records: &[RunRecord]) -> Vec<String> {
    let parts: [fn(&RunRecord) -> String; 6] = [
        |record| subject_and_transport(&record.subject),
        |record| record.subject.durability.clone().unwrap_or_default(),
        |record| record.scenario.name.clone(),
        |record| pace(&record.load),
        |record| record.subject.version.clone().unwrap_or_default(),
        |record| record.started_at.to_string(),
    ];
    let mut names = vec![String::new(); records.len()];
    for (index, part) in parts.iter().enumerate() {
        let values: Vec<String> = records.iter().map(part).collect();
        let differ = values.iter().any(|value| Some(value) != values.first());
        if index == 0 || (differ && !are_distinct(&names)) {
            names.iter_mut().zip(&values).filter(|(_, value)| !value.is_empty()).for_each(|(name, value)| {
                *name = if name.is_empty() { value.clone() } else { format!("{name}; {value}") };
            });
        }
    }
    if !are_distinct(&names) {
        names.iter_mut().enumerate().for_each(|(index, name)| *name = format!("{}. {name}", index + 1));
    }
    names
}

fn are_distinct(names: &[String]) -> bool {
    names.iter().enumerate().all(|(index, name)| !names.iter().take(index).any(|earlier| earlier == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Step, tests::SAMPLE};

    fn sample() -> RunRecord {
        RunRecord::parse(SAMPLE).unwrap()
    }

    #[test]
    fn every_kind_of_load_has_its_words() {
        let mut load_of = sample().load;
        let open = |rate_last, steps| Loop::Open { rate: 1000.0, rate_last, steps };
        let step = |rate, seconds| Step { rate, seconds };
        for (pace_of, expected) in [
            (Loop::Closed { outstanding: 256 }, "closed loop, 4 connections x 256 outstanding"),
            (open(None, vec![]), "open loop, 1,000 requests/s over 4 connections"),
            (open(Some(50_000.0), vec![]), "open loop, 1,000 to 50,000 requests/s over 4 connections"),
            (
                open(None, vec![step(1000.0, 5.0), step(9000.0, 2.5)]),
                "open loop, 1,000 for 5 s, 9,000 for 2.5 s requests/s over 4 connections",
            ),
        ] {
            load_of.pace = pace_of;
            assert_eq!(pace(&load_of), expected);
        }
        (load_of.per_frame, load_of.capture_batch) = (Some(16), Some(10_000));
        assert!(load(&load_of).ends_with(
            "10,000 agents, 16 requests a frame, 10 % captured, 10,000 a message, 1 thread; 5 s after 1 s of warm-up"
        ));
    }

    #[test]
    fn runs_are_named_by_what_tells_them_apart() {
        let one = sample();
        let mut redis = one.clone();
        (redis.subject.what, redis.subject.transport) = (SubjectKind::Redis, Transport::Redis);
        let mut power = one.clone();
        power.subject.durability = Some("sled, power, 3 ms".to_owned());
        let mut burst = power.clone();
        burst.scenario.name = "burst".to_owned();
        for (records, expected) in [
            (vec![&one], vec!["holdfast over QUIC"]),
            (vec![&one, &redis], vec!["holdfast over QUIC", "redis"]),
            (
                vec![&one, &power],
                vec!["holdfast over QUIC; sled, process, 3 ms", "holdfast over QUIC; sled, power, 3 ms"],
            ),
            (vec![&power, &burst], vec!["holdfast over QUIC; steady", "holdfast over QUIC; burst"]),
            (vec![&one, &one], vec!["1. holdfast over QUIC", "2. holdfast over QUIC"]),
        ] {
            let records: Vec<RunRecord> = records.into_iter().cloned().collect();
            assert_eq!(names(&records), expected);
        }
    }

    #[test]
    fn problems_are_counted_to_the_last() {
        let wrong = Check { problems: vec!["one".to_owned()], problem_count: 3, ..Check::default() };
        assert_eq!((verdict(&wrong), more_problems(&wrong)), ("WRONG", Some("and 2 more".to_owned())));
        assert!(check(&wrong).starts_with("3 problems: "));
    }
}
