// Ids that cannot be guessed, and what ids of others may look like. Owns the randomness that is not used yet.

internal import CLibUV

/// Random ids for requests and OpenAI objects.
enum RandomID {
  @LoopActor private static var pool = RandomPool()

  /// `length` characters of 0–9 and a–z, at most 256, each five bits of the system's random source.
  @LoopActor static func make(_ prefix: StaticString = "", length: Int = 24) -> String {
    pool.id(prefix, length)
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

/// Random bytes that are not used yet. The system is asked for many at once: a call costs more than an id.
///
/// A plain value with no isolation, for the reason that `ByteBuffer` has.
private struct RandomPool: Sendable {
  /// 32 of them, so that five bits of a byte choose one.
  private static let digits: StaticString = "0123456789abcdefghijkmnpqrstuvwx"

  private var bytes: [UInt8] = []
  private var used = 0

  mutating func id(_ prefix: StaticString, _ length: Int) -> String {
    if bytes.count - used < length { refill() }
    defer { used += length }
    let random = bytes[used..<used + length]
    let digits = Self.digits.utf8Start
    return String(unsafeUninitializedCapacity: prefix.utf8CodeUnitCount + length) { text in
      var count = prefix.utf8CodeUnitCount
      _ = text.update(fromContentsOf: UnsafeBufferPointer(start: prefix.utf8Start, count: count))
      for byte in random {
        text[count] = digits[Int(byte & 31)]
        count += 1
      }
      return count
    }
  }

  private mutating func refill() {
    used = 0
    bytes = Array(repeating: 0, count: 256)
    if uv_random(nil, nil, &bytes, bytes.count, 0, nil) == 0 { return }
    // A kernel that knows neither the call nor the device has a way that Swift knows.
    bytes = bytes.map { _ in .random(in: 0...255) }
  }
}
