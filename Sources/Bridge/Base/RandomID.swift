// Ids that cannot be guessed, and what ids of others may look like.

/// Random ids for requests and OpenAI objects.
enum RandomID {
  private static let alphabet = Array("0123456789abcdefghijklmnopqrstuvwxyz")

  /// `length` characters of 0–9 and a–z from the system's random source.
  static func make(_ prefix: String = "", length: Int = 24) -> String {
    var text = prefix
    for _ in 0..<length { text.append(alphabet[Int.random(in: 0..<alphabet.count)]) }
    return text
  }

  /// Whether a caller's id may be echoed in a header and a log line.
  static func isSane(_ id: String) -> Bool {
    (1...128).contains(id.utf8.count)
      && id.utf8.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: ":"): true
        default: false
        }
      }
  }
}
