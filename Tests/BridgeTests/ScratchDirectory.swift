// A directory for the files of one test.

import Glibc
import Testing

@testable import Bridge

/// A fresh directory; its files go with it.
final class ScratchDirectory: Sendable {
  let path: String

  init(in parent: String = "/tmp") throws {
    var template = Array("\(parent)/bridge-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw ScratchDirectoryError(reason: systemError()) }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { Self.remove(path) }

  /// The path of a file in it.
  func file(_ name: String) -> String { "\(path)/\(name)" }

  /// Names in it, sorted.
  var names: [String] { Self.names(in: path) }

  func write(_ text: String, to name: String) throws {
    try FileContents.replace(file(name), with: Array(text.utf8))
  }

  func makeDirectory(_ name: String) throws {
    if mkdir(file(name), 0o700) != 0 { throw ScratchDirectoryError(reason: systemError()) }
  }

  /// The text of a file, nil if there is none.
  func text(of name: String) -> String? {
    guard case .bytes(let bytes) = FileContents.read(file(name), limit: 1 << 24) else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }

  static func names(in path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  private static func remove(_ path: String) {
    for name in names(in: path) {
      let child = "\(path)/\(name)"
      if unlink(child) != 0 { remove(child) }
    }
    rmdir(path)
  }
}

struct ScratchDirectoryError: Error {
  let reason: String
}
