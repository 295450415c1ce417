// Base64 as clients write it (RFC 4648): both alphabets, with padding or without, in lines or in one.

enum Base64 {
  private static let invalid: UInt8 = 0xFF
  private static let values: [UInt8] = {
    var values = [UInt8](repeating: invalid, count: 256)
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    for (value, letter) in alphabet.utf8.enumerated() { values[Int(letter)] = UInt8(value) }
    for letter in "+-".utf8 { values[Int(letter)] = 62 }
    for letter in "/_".utf8 { values[Int(letter)] = 63 }
    return values
  }()

  /// The bytes that a text stands for; nil if it is none. White space is skipped, and so are the escapes of a URL read
  /// (`%2B`). Padding may be missing; where there is some, nothing may follow.
  static func decode(_ text: Span<UInt8>) -> [UInt8]? {
    let values = Self.values
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 4 * 3 + 3)
    var bits: UInt32 = 0
    var count = 0
    var padding = 0
    var index = 0
    while index < text.count {
      var letter = text[index]
      index += 1
      switch letter {
      case 0x20, 0x09, 0x0A, 0x0D: continue
      case UInt8(ascii: "%"):
        guard index + 2 <= text.count, let high = text[index].hexValue, let low = text[index + 1].hexValue
        else { return nil }
        letter = high << 4 | low
        index += 2
      default: break
      }
      if letter == UInt8(ascii: "=") {
        padding += 1
        continue
      }
      let value = values[Int(letter)]
      guard value != invalid, padding == 0 else { return nil }
      bits = bits << 6 | UInt32(value)
      count += 1
      guard count % 4 == 0 else { continue }
      bytes.append(UInt8(truncatingIfNeeded: bits >> 16))
      bytes.append(UInt8(truncatingIfNeeded: bits >> 8))
      bytes.append(UInt8(truncatingIfNeeded: bits))
    }
    let rest = count % 4
    guard rest != 1, padding <= 2, padding == 0 || (rest + padding) % 4 == 0 else { return nil }
    if rest >= 2 { bytes.append(UInt8(truncatingIfNeeded: bits >> (rest == 2 ? 4 : 10))) }
    if rest == 3 { bytes.append(UInt8(truncatingIfNeeded: bits >> 2)) }
    return bytes
  }
}
