// Structured log lines on standard error, through swift-log. Control characters never reach the terminal.

import Glibc
import Logging
import Synchronization

/// The log of the library. Message texts and keys are never written to it.
package enum Log {
  /// What may stand in a field of a log line. Field names in use: `request`, `session`, `thread`, `error`…
  typealias Fields = KeyValuePairs<String, any CustomStringConvertible>

  private static let logger = Logger(label: "bridged")

  /// Installs the handler. Call once, before anything logs. `quietly` shows errors only, for commands whose
  /// output is something else.
  package static func bootstrap(_ configuration: Configuration, quietly: Bool = false) {
    let level: Logger.Level =
      switch quietly ? .error : configuration[Settings.logLevel] {
      case .debug: .debug
      case .info: .info
      case .warning: .warning
      case .error: .error
      }
    let format = configuration[Settings.logFormat]
    isJSON.store(format == .json, ordering: .relaxed)
    LoggingSystem.bootstrap { _ in StandardErrorLogHandler(format: format, logLevel: level) }
  }

  /// The format that was chosen.
  static var format: LogFormat { isJSON.load(ordering: .relaxed) ? .json : .text }

  private static let isJSON = Atomic<Bool>(false)

  /// Chooses the format before all settings have been read, which may fail: its name as settings spell it.
  package static func choose(format: String?) {
    isJSON.store(format == LogFormat.json.rawValue, ordering: .relaxed)
  }

  /// Writes why the program ends, whatever the level of the log. In the text format the line begins with the program's name and
  /// not with a time, since the person who has started it reads it. `usage`, lines of the program's own, follows it.
  package static func fatal(_ reason: String, usage: String = "") {
    let line =
      switch format {
      case .text: "bridged: \(reason.printable)\n\(usage)"
      case .json:
        StandardErrorLogHandler.line(.json, time: timestamp(), level: "critical", message: reason, fields: [])
      }
    // A line brings its own end.
    write(line.hasSuffix("\n") ? String(line.dropLast()) : line)
  }

  /// Writes lines of the program's own among those of the log, for a person who reads them at a terminal. Whatever in them
  /// could drive it is escaped.
  static func show(_ lines: String) { write(lines.printableLines) }

  /// Writes a line to standard error, at the latest when the process exits. Never waits: when nobody reads and the queue is
  /// full, the line is lost and counted.
  fileprivate static func write(_ line: String) { output.write(line: line) }

  private static let output: LineOutput = {
    let output = LineOutput(descriptor: STDERR_FILENO) { lost in
      StandardErrorLogHandler.line(
        format, time: timestamp(), level: "warning",
        message: "lines of the log were lost because nobody read them", fields: [("count", String(lost))],
        numbers: ["count"])
    }
    atexit { Log.output.finish() }
    return output
  }()

  /// Logs notices about the settings.
  package static func report(_ notices: [Configuration.Notice]) {
    for notice in notices {
      switch notice.level {
      case .info: info(notice.text)
      case .warning: warning(notice.text)
      case .error: error(notice.text)
      }
    }
  }

  static func debug(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> Fields = [:]) {
    log(.debug, message(), fields())
  }

  static func info(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> Fields = [:]) {
    log(.info, message(), fields())
  }

  static func warning(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> Fields = [:]) {
    log(.warning, message(), fields())
  }

  static func error(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> Fields = [:]) {
    log(.error, message(), fields())
  }

  private static func log(
    _ level: Logger.Level,
    _ message: @autoclosure () -> String,
    _ fields: @autoclosure () -> Fields
  ) {
    guard level >= logger.logLevel else { return }
    var metadata: Logger.Metadata = [:]
    for (name, value) in fields() {
      let isNumber = value is any BinaryInteger || value is any BinaryFloatingPoint
      metadata[name] =
        isNumber ? .stringConvertible(Number(description: value.description)) : .string(value.description)
    }
    logger.log(level: level, "\(message())", metadata: metadata)
  }
}

extension Log {
  /// A number in a field, as its digits.
  fileprivate struct Number: CustomStringConvertible, Sendable {
    let description: String
  }
}

extension Logger.MetadataValue {
  fileprivate var isNumber: Bool {
    if case .stringConvertible(let value) = self { value is Log.Number } else { false }
  }
}

/// Writes one line per event to standard error.
struct StandardErrorLogHandler: LogHandler {
  let format: LogFormat
  var logLevel: Logger.Level
  var metadata: Logger.Metadata = [:]

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let fields = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
    Log.write(
      Self.line(
        format,
        time: timestamp(),
        level: event.level.rawValue,
        message: event.message.description,
        fields: fields.map { ($0.key, $0.value.description) },
        numbers: Set(fields.filter(\.value.isNumber).map(\.key))
      ))
  }

  /// One log line without its end. The `numbers` among the fields are numbers in JSON too.
  static func line(
    _ format: LogFormat,
    time: String,
    level: String,
    message: String,
    fields: [(String, String)],
    numbers: Set<String> = []
  ) -> String {
    switch format {
    case .json:
      let members = [("time", time), ("level", level), ("message", message)] + fields
      let object = JSONObject(
        members.map { .init(key: $0, value: numbers.contains($0) ? .number($1) : .string($1)) })
      return JSONValue.object(object).jsonText.jsonPrintable
    case .text:
      let padded = level.padding(to: 7)
      let rest = fields.map { " \($0)=\(Self.quoted($1))" }.joined()
      return "\(time) \(padded) \(message.printable)\(rest)"
    }
  }

  private static func quoted(_ value: String) -> String {
    let isPlain = !value.isEmpty && value.unicodeScalars.allSatisfy { $0.value > 0x20 && $0 != "\"" && $0 != "=" }
    return isPlain ? value.printable : JSONValue.string(value.printable).jsonText
  }
}

extension String {
  fileprivate func padding(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }
}

/// The time now as RFC 3339 with milliseconds, in UTC.
func timestamp() -> String {
  var now = timespec()
  clock_gettime(CLOCK_REALTIME, &now)
  var parts = tm()
  gmtime_r(&now.tv_sec, &parts)
  let digits = { (value: Int, width: Int) in
    let text = String(value)
    return String(repeating: "0", count: max(0, width - text.count)) + text
  }
  let date = "\(parts.tm_year + 1900)-\(digits(Int(parts.tm_mon) + 1, 2))-\(digits(Int(parts.tm_mday), 2))"
  let time = "\(digits(Int(parts.tm_hour), 2)):\(digits(Int(parts.tm_min), 2)):\(digits(Int(parts.tm_sec), 2))"
  return "\(date)T\(time).\(digits(now.tv_nsec / 1_000_000, 3))Z"
}

/// Seconds since 1970.
func unixTime() -> Int { time(nil) }
