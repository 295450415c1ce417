// What is fuzzed, and what must hold for every input. `Tests/Fuzz/run.sh` searches for inputs that break it; the tests
// replay those it has kept. No test library here: the fuzzer's program is built from these files too.

@testable import Bridge

/// A reader of input from outside, named as on the fuzzer's command line.
enum FuzzTarget: String, CaseIterable, Sendable {
  /// Bytes of a client's connection.
  case http
  /// Bytes of a client's WebSocket.
  case websocket
  /// Bytes of the app-server's output.
  case rpc
  /// The body of a request for a completion or a response.
  case chat
  /// `.codex_threads.json`.
  case threads
  /// `.codex_threads.journal`.
  case journal
  /// What is small: `.env` text, paths, addresses, image bytes and names.
  case text

  /// Gives `bytes` to the reader and checks what must hold for any.
  func check(_ bytes: [UInt8]) throws(Violation) {
    switch self {
    case .http: try RequestProperty.check(bytes)
    case .websocket: try WebSocketProperty.check(bytes)
    case .rpc: try RPCProperty.check(bytes)
    case .chat: try ChatProperty.check(bytes)
    case .threads: try ThreadMapProperty.check(bytes)
    case .journal: try SessionJournalProperty.check(bytes)
    case .text: try TextProperty.check(bytes)
    }
  }
}

/// Something that must hold and does not.
struct Violation: Error, CustomStringConvertible {
  let description: String
}

func require(_ holds: Bool, _ otherwise: @autoclosure () -> String) throws(Violation) {
  if !holds { throw Violation(description: otherwise()) }
}

extension [UInt8] {
  /// Cuts that are the same for the same bytes, so that a finding stays one.
  func randomPieces() -> [ArraySlice<UInt8>] {
    var random = SeededGenerator(reduce(14_695_981_039_346_656_037) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 })
    return random.pieces(of: self)
  }
}
