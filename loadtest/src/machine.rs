//! What the figures were measured on. Empty where the system does not say.

use std::fs;

use crate::record::Machine;

/// Ticks of the kernel's accounting in a second; fixed on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// The machine as it is now.
pub(crate) fn described() -> Machine {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(": "));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
    Machine {
        processor: model.map(|(_, model)| model.trim().to_owned()),
        cores: std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX)),
        memory_bytes: memory_bytes(),
        kernel: kernel.map(|release| format!("Linux {}", release.trim())),
        load_average: load_average(),
    }
}

fn memory_bytes() -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// What else keeps the machine busy: processes that run or want to, over the last minute.
fn load_average() -> Option<f64> {
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
    #[cfg(target_os = "linux")]
    fn the_machine_has_a_description() {
        let machine = described();
        assert!(machine.cores > 0 && machine.memory_bytes.is_some() && machine.kernel.is_some(), "{machine:?}");
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
