// What the kernel says of a process. Linux: /proc.

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

  /// Open descriptors of this process.
  static var openDescriptors: Int? {
    guard let directory = opendir("/proc/self/fd") else { return nil }
    defer { closedir(directory) }
    var count = 0
    while readdir(directory) != nil { count += 1 }
    // Without the two dot entries and the descriptor that reads them.
    return max(0, count - 3)
  }
}
