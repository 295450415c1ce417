// Stop sequences: text passes until one is found, holding back what could become one. Pure.

/// Cuts text before the first match of any stop sequence.
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
    if let match = firstMatch() {
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

  /// Forgets what was held back, because it is void.
  mutating func reset() { held = [] }

  private mutating func release(_ count: Int) -> EscapedText {
    // A held start of a stop sequence may begin inside a character that is not complete yet.
    var end = count
    while end > 0, end < held.count, held[end] & 0xC0 == 0x80 { end -= 1 }
    defer { held.removeFirst(end) }
    return EscapedText(String(decoding: held[..<end], as: UTF8.self))
  }

  private func firstMatch() -> Int? {
    stops.compactMap { stop in
      held.count < stop.count
        ? nil
        : (0...held.count - stop.count).first { held[$0..<$0 + stop.count].elementsEqual(stop) }
    }.min()
  }

  /// The length of the longest end of the held text that is the beginning of a stop sequence.
  private func longestPartialMatch() -> Int {
    stops.map { stop in
      let longest = min(stop.count - 1, held.count)
      return (0...longest).reversed().first { held.suffix($0).elementsEqual(stop.prefix($0)) } ?? 0
    }.max() ?? 0
  }
}
