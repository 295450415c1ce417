// What the kernel says of a process. Linux: /proc and control groups.

import Glibc

/// Facts of a running process.
enum ProcessStatus {
  /// Resident memory in bytes; nil if the process is gone or the system has no /proc.
  static func residentBytes(of processID: Int32) -> Int? {
    guard case .bytes(let bytes) = FileContents.read("/proc/\(processID)/statm", limit: 4096) else { return nil }
    let fields = String(decoding: bytes, as: UTF8.self).split(separator: " ")
    guard fields.count > 1, let pages = Int(fields[1]) else { return nil }
    return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
  }

  /// The kernel session of a process, and when the process was started; nil if it is gone.
  static func origin(of processID: Int32) -> (session: Int32, startedAt: ProcessClock.Ticks)? {
    guard case .bytes(let bytes) = FileContents.read("/proc/\(processID)/stat", limit: 4096),
      // The name before it is the program's own choice and may hold anything, brackets and blanks included.
      let end = bytes.lastIndex(of: UInt8(ascii: ")"))
    else { return nil }
    // proc_pid_stat(5), from the third field on: state, parent, group, session, …, 22 the time of the start.
    let fields = String(decoding: bytes[(end + 1)...], as: UTF8.self).split { $0 == " " || $0 == "\n" }
    guard fields.count > 19, let session = Int32(fields[3]), let startedAt = Int(fields[19]) else { return nil }
    return (session, startedAt)
  }

  /// Open descriptors of this process.
  static var openDescriptors: Int? {
    guard let directory = opendir("/proc/self/fd") else { return nil }
    defer { closedir(directory) }
    var count = 0
    while readdir(directory) != nil { count += 1 }
    // Without the two dot entries and the descriptor that reads them.
    return max(0, count - 3)
  }

  /// The processors whose whole time this process may use, at least one (Docker's `--cpus`, systemd's `CPUQuota=`); nil
  /// if nothing bounds it. That is the least of what its control group and those around it are given: Linux, "Control
  /// Group v2", cpu.max. `root` is where /proc and /sys are.
  static func processorQuota(root: String = "") -> Int? {
    let path = root + "/proc/self/cgroup"
    guard case .bytes(let bytes) = FileContents.read(path, limit: 1 << 16) else { return nil }
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    guard let line = lines.first(where: { $0.hasPrefix("0::/") }) else { return nil }
    var quotas: [Int] = []
    var group = line.dropFirst("0::".count)
    // A container may be told its path on the host, of which it sees no more than the end.
    while true {
      if let quota = quota(of: "\(root)/sys/fs/cgroup\(group)") { quotas.append(quota) }
      guard let slash = group.lastIndex(of: "/") else { return quotas.min() }
      group = group[..<slash]
    }
  }

  private static func quota(of group: String) -> Int? {
    guard case .bytes(let bytes) = FileContents.read(group + "/cpu.max", limit: 4096) else { return nil }
    // Microseconds of processor time, and in which time; `max` for as many as there are.
    let numbers = String(decoding: bytes, as: UTF8.self).split { $0 == " " || $0 == "\n" }.map { Int($0) }
    guard numbers.count == 2, let granted = numbers[0], let period = numbers[1], period > 0 else { return nil }
    return max(1, granted / period)
  }
}
