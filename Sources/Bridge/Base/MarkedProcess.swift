// Running processes found by a variable of their environment. Linux: /proc.

import Glibc

/// A running process of this user that was started with a certain variable in its environment. Whatever it has started
/// in turn has the variable too, unless that was taken away on purpose.
struct MarkedProcess: Sendable, Equatable {
  /// More than the kernel lets a program be started with by default; what has a larger environment is not found.
  private static let maxEnvironmentBytes = 4 << 20

  let id: Int32
  /// The process that has made its kernel session (setsid(2)); that one may be gone.
  let session: Int32
  let startedAt: ProcessClock.Ticks
  /// The variable's value.
  let mark: String

  /// All processes but this one whose `variable` has one of these values. Reads /proc, so it blocks for a moment.
  static func all(_ variable: String, in values: Set<String>) -> [MarkedProcess] {
    guard !values.isEmpty, let directory = opendir("/proc") else { return [] }
    defer { closedir(directory) }
    let prefix = Array("\(variable)=".utf8)
    var found: [MarkedProcess] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
      }
      guard let id = Int32(name), id != getpid(), isOwn(id) else { continue }
      guard case .bytes(let environment) = FileContents.read("/proc/\(id)/environ", limit: maxEnvironmentBytes),
        let entry = environment.split(separator: 0).first(where: { $0.starts(with: prefix) })
      else { continue }
      let mark = String(decoding: entry.dropFirst(prefix.count), as: UTF8.self)
      guard values.contains(mark), let status = ProcessStatus.origin(of: id) else { continue }
      found.append(MarkedProcess(id: id, session: status.session, startedAt: status.startedAt, mark: mark))
    }
    return found
  }

  private static func isOwn(_ id: Int32) -> Bool {
    var status = stat()
    return stat("/proc/\(id)", &status) == 0 && status.st_uid == geteuid()
  }
}

/// The clock by which the kernel tells when a process was started. It goes on while the machine sleeps.
enum ProcessClock {
  /// Hundredths of a second since the machine was started, on every Linux in use (sysconf(3), _SC_CLK_TCK).
  typealias Ticks = Int

  static var now: Ticks {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return ticks(.seconds(time.tv_sec) + .nanoseconds(time.tv_nsec))
  }

  /// As many whole ticks as there are in `duration`.
  static func ticks(_ duration: Duration) -> Ticks {
    let perSecond = Int(sysconf(Int32(_SC_CLK_TCK)))
    return Int(duration / .milliseconds(1)) * perSecond / 1000
  }
}
