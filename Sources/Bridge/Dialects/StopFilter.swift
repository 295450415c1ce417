// Cuts text at stop sequences. Text that could become one is held back until that is decided. Pure.

/// Finds the stop sequence that is complete first. For each sequence it tracks how much of its beginning the text ends with
/// (Knuth, Morris and Pratt), so that no byte of the text is read twice.
struct StopMatcher: Sendable {
  private struct Sequence: Sendable {
    let bytes: [UInt8]
    /// For each length of a beginning of the sequence: the length of the longest shorter beginning that it ends with.
    let fallback: [Int]
    /// How many bytes of the sequence's beginning the text ends with.
    var matched = 0

    init(_ bytes: [UInt8]) {
      self.bytes = bytes
      var fallback = [Int](repeating: 0, count: bytes.count + 1)
      var length = 0
      for index in bytes.indices.dropFirst() {
        while length > 0, bytes[length] != bytes[index] { length = fallback[length] }
        if bytes[length] == bytes[index] { length += 1 }
        fallback[index + 1] = length
      }
      self.fallback = fallback
    }

    /// Whether the sequence is complete with this byte.
    mutating func take(_ byte: UInt8) -> Bool {
      while matched > 0, bytes[matched] != byte { matched = fallback[matched] }
      if bytes[matched] == byte { matched += 1 }
      return matched == bytes.count
    }
  }

  private var sequences: [Sequence]

  /// Empty sequences are ignored.
  init(_ stops: [String]) { sequences = stops.filter { !$0.isEmpty }.map { Sequence(Array($0.utf8)) } }

  var isEmpty: Bool { sequences.isEmpty }
  /// How many bytes at the end of the text may become a stop sequence.
  var heldBytes: Int { sequences.reduce(0) { max($0, $1.matched) } }
  var longest: Int { sequences.reduce(0) { max($0, $1.bytes.count) } }

  /// Takes the next byte of the text. Returns the length of the stop sequence that it completes, the longest if there are
  /// several; nil if there is none. Must not be called again after a stop sequence was found.
  mutating func take(_ byte: UInt8) -> Int? {
    var found: Int?
    for index in sequences.indices where sequences[index].take(byte) {
      found = max(found ?? 0, sequences[index].bytes.count)
    }
    return found
  }

  /// Forgets the text so far.
  mutating func reset() {
    for index in sequences.indices { sequences[index].matched = 0 }
  }
}

/// Cuts text before the stop sequence that is complete first, as a model that stops there would.
struct StopFilter: Sendable {
  private var matcher: StopMatcher
  /// The end of the text that could become a stop sequence.
  private var held: [UInt8] = []
  private(set) var hasMatched = false

  init(_ stops: [String]) { matcher = StopMatcher(stops) }

  var isActive: Bool { !matcher.isEmpty }

  /// Adds a piece of text. Returns the text that cannot become part of a stop sequence any more and was not returned
  /// before.
  mutating func feed(_ text: EscapedText) -> EscapedText {
    guard isActive else { return text }
    guard !hasMatched else { return EscapedText(raw: "") }
    for byte in text.text.utf8 {
      held.append(byte)
      guard let length = matcher.take(byte) else { continue }
      hasMatched = true
      held.removeLast(length)
      return release(held.count)
    }
    return release(held.count - matcher.heldBytes)
  }

  /// Ends the text. Returns what was held back.
  mutating func finish() -> EscapedText {
    hasMatched ? EscapedText(raw: "") : release(held.count)
  }

  private mutating func release(_ count: Int) -> EscapedText {
    // What is held back may begin inside a character, because stop sequences are matched byte by byte.
    var end = count
    while end > 0, end < held.count, held[end] & 0xC0 == 0x80 { end -= 1 }
    defer { held.removeFirst(end) }
    return EscapedText(String(decoding: held[..<end], as: UTF8.self))
  }
}
