//! What the figures were measured on. Empty where the system does not say.

use std::fs;

/// Ticks of the kernel's accounting in a second; fixed on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// The machine in a line.
pub(crate) fn description() -> String {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(": "));
    format!("{cpus} x {}", model.map_or(std::env::consts::ARCH, |(_, model)| model.trim()))
}

/// What else keeps the machine busy: processes that run or want to, over the last minute.
pub(crate) fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

/// The processor time that a process has used, in seconds; of this process for `None`.
pub(crate) fn cpu_seconds(process: Option<u32>) -> Option<f64> {
    let process = process.map_or_else(|| "self".to_owned(), |process| process.to_string());
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in parentheses may hold anything, so count from behind it: state is field 3, user and system time 14 and 15.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_a_description() {
        assert!(description().contains(" x "));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn processor_time_grows() {
        let before = cpu_seconds(None).unwrap();
        let mut sum = 0u64;
        while cpu_seconds(None).unwrap() == before {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(cpu_seconds(Some(std::process::id())).unwrap() > before);
    }
}
