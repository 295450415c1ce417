// Ids that cannot be guessed, and what ids of others may look like.

/// Random ids for requests and OpenAI objects.
enum RandomID {
  /// Characters that one random number is good for, and the numbers they make: each draw asks the system.
  private static let charactersPerDraw = 12
  private static let numbersPerDraw: UInt64 = 4_738_381_338_321_616_896  // 36 to the power of 12.

  /// `length` characters of 0–9 and a–z from the system's random source.
  static func make(_ prefix: String = "", length: Int = 24) -> String {
    var number: UInt64 = 0
    return String(unsafeUninitializedCapacity: prefix.utf8.count + length) { bytes in
      var count = 0
      for byte in prefix.utf8 {
        bytes[count] = byte
        count += 1
      }
      for index in 0..<length {
        if index % charactersPerDraw == 0 { number = UInt64.random(in: 0..<numbersPerDraw) }
        let digit = UInt8(truncatingIfNeeded: number % 36)
        bytes[count] = digit < 10 ? 0x30 + digit : 0x57 + digit
        count += 1
        number /= 36
      }
      return count
    }
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
