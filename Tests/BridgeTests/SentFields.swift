// The header fields of an answer as a client reads them.

@testable import Bridge

extension ResponseFields {
  var sent: [(name: String, value: String)] {
    String(decoding: bytes, as: UTF8.self).components(separatedBy: "\r\n").dropFirst().map { line in
      let parts = line.split(separator: ": ", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      return (parts.first ?? "", parts.last ?? "")
    }
  }

  /// The value of the first field of that name, which is in lower case.
  func value(_ name: String) -> String? { sent.first { $0.name.lowercased() == name }?.value }
}
