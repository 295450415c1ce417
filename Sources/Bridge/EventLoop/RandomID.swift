// Ids that cannot be guessed, and the form that a client's own id may have. Owns the random bits that are not used yet.

internal import CLibUV

/// Random ids for requests and OpenAI objects.
enum RandomID {
  /// Not checked for overlapping access (Decisions).
  @LoopActor @exclusivity(unchecked) private static var pool = RandomPool()

  /// `length` characters of 0–9 and a–z, each five bits of the system's random source.
  @LoopActor static func make(_ prefix: StaticString = "", length: Int = 24) -> String {
    pool.id(prefix, length)
  }

  /// Whether a caller's id may be echoed in a header and a log line.
  static func isValid(_ id: String) -> Bool {
    (1...128).contains(id.utf8.count) && id != "." && id != ".."
      && id.utf8.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: ":"): true
        default: false
        }
      }
  }
}

/// Random bits that are not used yet. The system is asked for many at once, because a system call costs more than an id.
///
/// A plain value with no isolation: its methods hand closures to the standard library, which in isolated code would be
/// checked at run time at each call.
private struct RandomPool: Sendable {
  /// 32 of them, so that five bits choose one.
  private static let digits: StaticString = "0123456789abcdefghijkmnpqrstuvwx"
  private static let digitsPerWord = 12
  /// 256 bytes: what libuv gets with one call.
  private static let wordCount = 32

  private var words: [UInt64] = []

  mutating func id(_ prefix: StaticString, _ length: Int) -> String {
    let end = prefix.utf8CodeUnitCount + length
    let digits = Self.digits.utf8Start
    return String(unsafeUninitializedCapacity: end) { text in
      var count = prefix.utf8CodeUnitCount
      _ = text.update(fromContentsOf: UnsafeBufferPointer(start: prefix.utf8Start, count: count))
      while count < end {
        var bits = nextWord()
        for _ in 0..<min(Self.digitsPerWord, end - count) {
          text[count] = digits[Int(truncatingIfNeeded: bits & 31)]
          bits >>= 5
          count += 1
        }
      }
      return count
    }
  }

  private mutating func nextWord() -> UInt64 {
    if words.isEmpty { refill() }
    return words.removeLast()
  }

  private mutating func refill() {
    words = Array(repeating: 0, count: Self.wordCount)
    if uv_random(nil, nil, &words, words.count * MemoryLayout<UInt64>.size, 0, nil) == 0 { return }
    // Where libuv finds no random source of the kernel, Swift's own generator is used.
    words = words.map { _ in .random(in: 0...(.max)) }
  }
}
