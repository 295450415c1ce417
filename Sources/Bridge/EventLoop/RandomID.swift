// Ids that cannot be guessed, and what ids of others may look like. Owns the randomness that is not used yet.

internal import CLibUV

/// Random ids for requests and OpenAI objects.
enum RandomID {
  /// Random bytes that are not used yet. The system is asked for many at once: a call costs more than an id.
  @LoopActor private static var pool: [UInt8] = []
  /// 32 of them, so that five bits of a byte choose one.
  private static let digits: StaticString = "0123456789abcdefghijkmnpqrstuvwx"

  /// `length` characters of 0–9 and a–z, at most 256, each five bits of the system's random source.
  @LoopActor static func make(_ prefix: String = "", length: Int = 24) -> String {
    String(unsafeUninitializedCapacity: prefix.utf8.count + length) { bytes in
      var count = 0
      for byte in prefix.utf8 {
        bytes[count] = byte
        count += 1
      }
      if pool.count < length { refill() }
      for byte in pool.suffix(length) {
        bytes[count] = digits.utf8Start[Int(byte & 31)]
        count += 1
      }
      pool.removeLast(length)
      return count
    }
  }

  @LoopActor private static func refill() {
    pool = Array(repeating: 0, count: 256)
    if uv_random(nil, nil, &pool, pool.count, 0, nil) == 0 { return }
    // A kernel that knows neither the call nor the device has a way that Swift knows.
    pool = pool.map { _ in .random(in: 0...255) }
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
