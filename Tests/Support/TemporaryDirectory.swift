// A directory that is gone after the test.

import Glibc

@testable import Bridge

/// A fresh directory of its own.
struct TemporaryDirectory: Sendable {
  let path: String

  init(in parent: String = "/tmp") throws {
    var template = Array("\(parent)/bridge-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw TestFailure("mkdtemp: \(systemError())") }
    path = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  func write(_ text: String, to name: String) throws {
    try FileContents.replace("\(path)/\(name)", with: Array(text.utf8))
  }

  /// The text of a file, nil if there is none.
  func read(_ name: String) -> String? {
    guard case .bytes(let bytes) = FileContents.read("\(path)/\(name)", limit: 1 << 26) else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Removes it with everything in it.
  func remove() { Self.remove(path) }

  private static func remove(_ path: String) {
    // A link is removed and not followed: opening with O_NOFOLLOW fails for it as for a file.
    let file = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard file >= 0 else {
      unlink(path)
      return
    }
    guard let directory = fdopendir(file) else {
      close(file)
      return
    }
    var names: [String] = []
    while let entry = readdir(directory) {
      names.append(
        withUnsafePointer(to: entry.pointee.d_name) {
          String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
        })
    }
    closedir(directory)
    for name in names where name != "." && name != ".." { remove("\(path)/\(name)") }
    rmdir(path)
  }
}

/// Something a test needs could not be made.
struct TestFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
