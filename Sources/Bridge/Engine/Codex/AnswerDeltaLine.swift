// Hundreds of lines in a row differ in their text and in the engine's clock alone. One of them is parsed; what it has
// in common with the next is compared, which costs a tenth.

/// How the lines of one message begin: everything before the text, the ids of thread, turn and item among it.
///
/// Kept as a fingerprint. The bytes themselves would have to be fetched from memory for each token, which takes longer
/// than all the rest when hundreds of streams take turns.
struct AnswerDeltaHead: Sendable {
  /// Up to the quote before the text.
  let count: Int
  private let fingerprint: Fingerprint

  init(_ delta: AnswerDelta, _ line: Span<UInt8>, _ seeds: Fingerprint.Seeds) {
    count = delta.text.lowerBound
    fingerprint = Fingerprint(of: line.extracting(..<count), seeds)
  }

  /// Whether `line` begins like this.
  func begins(_ line: Span<UInt8>, _ seeds: Fingerprint.Seeds) -> Bool {
    count <= line.count && Fingerprint(of: line.extracting(..<count), seeds) == fingerprint
  }
}

/// What the lines of all messages have in common: where they name their thread, and how they end.
struct AnswerDeltaForm: Sendable {
  /// A longer end is not worth being kept; Codex writes some thirty bytes.
  private static let maxTailBytes = 256

  let threadID: Range<Int>
  /// From the quote behind the text to the last byte, as it was in the last line that ended like that.
  private var tail: [UInt8]
  /// Where in it the digits of the time are that Codex adds to each notification; empty if it has added none.
  private let clock: Range<Int>

  /// Nil when an id stands behind the text, where it could pass for the clock, and for a very long end.
  init?(_ delta: AnswerDelta, _ line: Span<UInt8>) {
    let start = delta.text.upperBound
    guard line.count - start <= Self.maxTailBytes, delta.threadID.upperBound < start,
      delta.turnID.upperBound < start, delta.itemID.upperBound < start
    else { return nil }
    threadID = delta.threadID
    tail = line.extracting(start...).array
    let clockEnd = tail.lastIndex { $0.isDigit }.map { $0 + 1 } ?? tail.count
    let clockStart = tail[..<clockEnd].lastIndex { !$0.isDigit }.map { $0 + 1 } ?? 0
    clock = clockStart..<clockEnd
  }

  /// Where `line` has its text, which begins behind a quote at `start`, and whether there are escapes in it; nil when it
  /// ends otherwise than the line that was parsed.
  ///
  /// A line that is taken would be parsed to the same: around valid text and digits for digits it is a line that was.
  mutating func text(of line: Span<UInt8>, from start: Int) -> (range: Range<Int>, hasEscapes: Bool)? {
    let end = line.count - tail.count
    guard end >= start, isTail(line.extracting(end...)) else { return nil }
    // The quote that the end begins with is where the text has to end.
    let run = JSONScanner.plainRun(line, from: start)
    if run.end == end, run.isASCII { return (start..<end, false) }
    var scanner = JSONScanner(at: start - 1)
    guard let (range, hasEscapes) = try? scanner.string(line), range == start..<end,
      (try? AnswerDelta.isText(line.extracting(range), hasEscapes: hasEscapes)) == true
    else { return nil }
    return (range, hasEscapes)
  }

  /// The digits of the clock may be others, of which the first is no zero: a number in JSON as the one before was.
  private mutating func isTail(_ bytes: Span<UInt8>) -> Bool {
    // Many lines come within one tick of the clock.
    bytes.isEqual(to: tail.span) || isTailOfAnotherTime(bytes)
  }

  private mutating func isTailOfAnotherTime(_ bytes: Span<UInt8>) -> Bool {
    let before = clock.lowerBound
    guard !clock.isEmpty, bytes[before] != 0x30, bytes.extracting(clock).areDigits,
      bytes.extracting(..<before).isEqual(to: tail.span.extracting(..<before)),
      bytes.extracting(clock.upperBound...).isEqual(to: tail.span.extracting(clock.upperBound...))
    else { return false }
    for index in clock { tail[index] = bytes[index] }
    return true
  }
}
