// Stop sequences: text passes until one is found, holding back what could become one. Pure.

/// Cuts text before the stop sequence that is complete first, as a model that stops there would.
struct StopFilter: Sendable {
  private let stops: [[UInt8]]
  private var held: [UInt8] = []
  private(set) var hasMatched = false

  init(_ stops: [String]) { self.stops = stops.map { Array($0.utf8) } }

  var isActive: Bool { !stops.isEmpty }

  /// The part of the text so far that is safe to show.
  mutating func feed(_ text: EscapedText) -> EscapedText {
    guard isActive else { return text }
    guard !hasMatched else { return EscapedText(raw: "") }
    held += Array(text.text.utf8)
    if let match = Self.firstMatch(stops, in: held) {
      hasMatched = true
      held.removeSubrange(match...)
      return release(held.count)
    }
    return release(held.count - longestPartialMatch())
  }

  /// What was held back, once nothing more will come.
  mutating func finish() -> EscapedText {
    hasMatched ? EscapedText(raw: "") : release(held.count)
  }

  private mutating func release(_ count: Int) -> EscapedText {
    // A held start of a stop sequence may begin inside a character that is not complete yet.
    var end = count
    while end > 0, end < held.count, held[end] & 0xC0 == 0x80 { end -= 1 }
    defer { held.removeFirst(end) }
    return EscapedText(String(decoding: held[..<end], as: UTF8.self))
  }

  /// Where the match begins that ends first; of those that end there, the longest.
  static func firstMatch(_ stops: [[UInt8]], in text: [UInt8], from start: Int = 0) -> Int? {
    let matches = stops.compactMap { stop -> Range<Int>? in
      guard text.count - start >= stop.count else { return nil }
      return (start...text.count - stop.count).first { text[$0..<$0 + stop.count].elementsEqual(stop) }
        .map { $0..<$0 + stop.count }
    }
    return matches.min { ($0.upperBound, $0.lowerBound) < ($1.upperBound, $1.lowerBound) }?.lowerBound
  }

  /// The length of the longest end of the held text that is the beginning of a stop sequence.
  private func longestPartialMatch() -> Int {
    stops.map { stop in
      let longest = min(stop.count - 1, held.count)
      return (0...longest).reversed().first { held.suffix($0).elementsEqual(stop.prefix($0)) } ?? 0
    }.max() ?? 0
  }
}
