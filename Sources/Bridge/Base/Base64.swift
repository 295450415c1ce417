// Base64 as clients write it (RFC 4648): both alphabets, with padding or without, in lines or in one.

enum Base64 {
  private static let invalid: UInt8 = 0xFF
  private static let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  /// The value of each letter of the standard alphabet (§4).
  private static let standardValues: [UInt8] = {
    var values = [UInt8](repeating: invalid, count: 256)
    for (value, letter) in letters.enumerated() { values[Int(letter)] = UInt8(value) }
    return values
  }()
  /// The same, and of the two letters in which the alphabet for URLs differs (§5).
  private static let values: [UInt8] = {
    var values = standardValues
    values[Int(UInt8(ascii: "-"))] = 62
    values[Int(UInt8(ascii: "_"))] = 63
    return values
  }()

  /// The text of bytes in the standard alphabet, padded.
  static func encode(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
      for index in 0..<4 {
        text.append(index <= group.count ? letters[bits >> (6 * (3 - index)) & 63] : UInt8(ascii: "="))
      }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// The bytes of a text in the one form that an encoder writes by default: the standard alphabet, padded, nothing in
  /// between, and no bit set that stands for nothing (§3.5). Encoding them gives the same text again. Nil for any other.
  static func decodeCanonical(_ text: Span<UInt8>) -> [UInt8]? {
    guard text.count % 4 == 0 else { return nil }
    guard let last = text.indices.last else { return [] }
    let pad = UInt8(ascii: "=")
    let padding = text[last] != pad ? 0 : text[last - 1] != pad ? 1 : 2
    let whole = padding == 0 ? text.count : text.count - 4
    let values = standardValues.span
    var isValid = true
    var bytes = [UInt8](capacity: text.count / 4 * 3) { bytes in
      var index = 0
      while index < whole {
        let (a, b) = (values[Int(text[index])], values[Int(text[index + 1])])
        let (c, d) = (values[Int(text[index + 2])], values[Int(text[index + 3])])
        guard (a | b | c | d) < 64 else {
          isValid = false
          return
        }
        bytes.append(a << 2 | b >> 4)
        bytes.append(b << 4 | c >> 2)
        bytes.append(c << 6 | d)
        index += 4
      }
    }
    guard isValid else { return nil }
    guard padding > 0 else { return bytes }
    let (a, b) = (values[Int(text[whole])], values[Int(text[whole + 1])])
    let c = padding == 1 ? values[Int(text[whole + 2])] : 0
    guard (a | b | c) < 64, padding == 1 ? c & 3 == 0 : b & 15 == 0 else { return nil }
    bytes.append(a << 2 | b >> 4)
    if padding == 1 { bytes.append(b << 4 | c >> 2) }
    return bytes
  }

  /// The bytes of a text in the one form that tokens have (RFC 7515 §2): the alphabet for URLs, no padding, and no bit set that
  /// stands for nothing. Nil for any other.
  static func decodeURL(_ text: Span<UInt8>) -> [UInt8]? {
    let values = values
    for index in text.indices {
      let letter = text[index]
      guard values[Int(letter)] != invalid, letter != UInt8(ascii: "+"), letter != UInt8(ascii: "/") else {
        return nil
      }
    }
    let unusedBits: [UInt8] = [0, 0, 15, 3]
    if let last = text.indices.last, values[Int(text[last])] & unusedBits[text.count % 4] != 0 { return nil }
    return decode(text)
  }

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
