// Recognises the next line of a message that is being written without parsing it. Hundreds of such lines in a row differ
// only in their text and in the time that Codex adds. The first one is parsed; in the others the rest of the line is
// compared with it, which costs a tenth of parsing.

/// How the lines of one message begin: all bytes before the text, among them the ids of thread, turn and item.
///
/// The bytes are kept as a fingerprint. With hundreds of streams taking turns, fetching the bytes themselves from memory
/// for each token would take longer than all the rest.
struct AnswerDeltaHead: Sendable {
  /// The number of bytes, up to and including the quote that opens the text.
  let count: Int
  private let fingerprint: Fingerprint

  init(of delta: AnswerDelta, in line: Span<UInt8>, seeds: Fingerprint.Seeds) {
    count = delta.text.lowerBound
    fingerprint = Fingerprint(of: line.extracting(..<count), seeds)
  }

  /// Whether `line` begins with these bytes.
  func begins(_ line: Span<UInt8>, _ seeds: Fingerprint.Seeds) -> Bool {
    count <= line.count && Fingerprint(of: line.extracting(..<count), seeds) == fingerprint
  }
}

/// What the lines of all messages have in common: where the id of the thread stands, and how the line ends.
struct AnswerDeltaForm: Sendable {
  /// Codex ends a line with some thirty bytes. Comparing a much longer end would save nothing.
  private static let maxTailBytes = 256

  /// Where a line names its thread.
  let threadID: Range<Int>
  /// The end of a line, from the quote that closes the text. It has the time of the last line that was recognised.
  private var tail: [UInt8]
  /// Where in `tail` the digits of the time stand that Codex adds to each notification; empty if there are none.
  private let clock: Range<Int>

  /// Nil when the end is very long, or an id stands behind the text, where its digits could be taken for the time.
  init?(of delta: AnswerDelta, in line: Span<UInt8>) {
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

  /// Returns where the text of `line` is, and whether there are escapes in it. The text begins at `start`, behind its
  /// quote. Returns nil when the line does not end like the line that was parsed.
  ///
  /// Parsing a recognised line would give the same result: apart from valid text, and digits in the place of digits, it
  /// equals a line that was parsed.
  mutating func text(of line: Span<UInt8>, from start: Int) -> (range: Range<Int>, hasEscapes: Bool)? {
    let end = line.count - tail.count
    guard end >= start, isTail(line.extracting(end...)) else { return nil }
    // The text has to end exactly at the quote with which the tail begins.
    let run = JSONScanner.plainRun(line, from: start)
    if run.end == end, run.isASCII { return (start..<end, false) }
    var scanner = JSONScanner(at: start - 1)
    guard let (range, hasEscapes) = try? scanner.string(line), range == start..<end,
      (try? AnswerDelta.isText(line.extracting(range), hasEscapes: hasEscapes)) == true
    else { return nil }
    return (range, hasEscapes)
  }

  private mutating func isTail(_ bytes: Span<UInt8>) -> Bool {
    // Many lines carry the same time, so equality is checked first.
    bytes.isEqual(to: tail.span) || isTailOfAnotherTime(bytes)
  }

  /// Whether the bytes differ from the tail in the digits of the time only. The first digit must not be zero: JSON has no
  /// such number.
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
