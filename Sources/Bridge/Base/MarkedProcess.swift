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
