// Tests/Fixtures/refused-requests.json: the table of malformed and ambiguous requests, shared with Tests/Stress.

import Testing

@testable import Bridge

/// A request that must be refused with `status`, whatever reads it.
struct RefusedRequest: Sendable, CustomTestStringConvertible {
  let group: String
  let name: String
  let bytes: [UInt8]
  let status: Int

  var testDescription: String { "\(group): \(name)" }

  /// The whole table, empty if it cannot be read: a test looks at its size.
  static let all: [RefusedRequest] = {
    guard case .bytes(let text) = FileContents.read(path, limit: 1 << 20),
      let table = try? JSONValue(parsing: text)
    else { return [] }
    return (table["groups"]?.arrayValue ?? []).flatMap(cases)
  }()

  /// Those that are refused by their syntax alone, and short enough to be cut at every byte.
  static let short = all.filter { $0.status != 413 && $0.bytes.count < 1000 }

  /// Those whose head is sound and whose body is not.
  static let brokenBodies = all.filter { $0.group == "chunks" }

  private static let path: String = {
    let folders = #filePath.split(separator: "/").dropLast(2)
    return "/\(folders.joined(separator: "/"))/Fixtures/refused-requests.json"
  }()

  private static func cases(of group: JSONValue) -> [RefusedRequest] {
    guard let title = group["title"]?.stringValue else { return [] }
    return (group["cases"]?.arrayValue ?? []).compactMap { value in
      guard let name = value["name"]?.stringValue, let status = value["status"]?.intValue else { return nil }
      return RefusedRequest(
        group: title, name: name, bytes: bytes(group["before"]) + bytes(value["request"]), status: status)
    }
  }

  /// Characters stand for bytes; a list is joined, `{"text", "times"}` is repeated.
  private static func bytes(_ value: JSONValue?) -> [UInt8] {
    guard let value else { return [] }
    if let pieces = value.arrayValue { return pieces.flatMap { bytes($0) } }
    if let times = value["times"]?.intValue {
      return [[UInt8]](repeating: bytes(value["text"]), count: times).flatMap(\.self)
    }
    return (value.stringValue ?? "").unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
  }
}
