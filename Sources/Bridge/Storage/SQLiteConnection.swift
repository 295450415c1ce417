// SQLite made safe to use from Swift: a connection, and statements with values (https://sqlite.org/c3ref/intro.html).

internal import CSQLite
import Glibc

/// Why a database did not do what it was asked.
enum StorageError: Error, Equatable, CustomStringConvertible {
  /// SQLite's result code and its text.
  case failed(code: Int32, reason: String)
  /// The file is not a database, or a damaged one.
  case damaged
  /// There is no room for more, on the disk or up to the limit of the file.
  case full

  init(_ code: Int32, _ reason: String) {
    switch code & 0xFF {
    case SQLITE_NOTADB, SQLITE_CORRUPT: self = .damaged
    case SQLITE_FULL: self = .full
    default: self = .failed(code: code, reason: reason)
    }
  }

  var description: String {
    switch self {
    case .failed(let code, let reason): "\(reason) (SQLite \(code))"
    case .damaged: "the file is damaged"
    case .full: "there is no room for more"
    }
  }
}

/// A value of a row.
enum StoredValue: Sendable, Equatable {
  case null
  case int(Int)
  case text(String)
  case bytes([UInt8])

  var intValue: Int? { if case .int(let value) = self { value } else { nil } }
  var textValue: String? { if case .text(let value) = self { value } else { nil } }
  var bytesValue: [UInt8]? { if case .bytes(let value) = self { value } else { nil } }

  static func text(_ value: String?) -> StoredValue { value.map { .text($0) } ?? .null }
}

/// An open database, for one user at a time.
final class SQLiteConnection {
  /// How long a lock of another program is waited for.
  private static let busyMilliseconds: Int32 = 2000

  private let handle: OpaquePointer
  /// Those that were used, by the address of their text, which lasts as long as the program. To prepare one takes longer than
  /// to run it.
  private var statements: [UnsafePointer<UInt8>: OpaquePointer] = [:]

  /// Opens the file, which is made if it is missing, readable by this user alone.
  init(path: String, maxBytes: Int) throws(StorageError) {
    // SQLite would make it readable by others, as far as the process's mask allows; what it makes beside it has the same mode.
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw .failed(code: SQLITE_CANTOPEN, reason: systemError()) }
    Glibc.close(descriptor)
    var handle: OpaquePointer?
    let code = sqlite3_open_v2(
      path, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, nil)
    guard code == SQLITE_OK, let handle else {
      sqlite3_close_v2(handle)
      throw StorageError(code, String(cString: sqlite3_errstr(code)))
    }
    self.handle = handle
    sqlite3_extended_result_codes(handle, 1)
    // Somebody may look into the file, or copy it.
    sqlite3_busy_timeout(handle, Self.busyMilliseconds)
    do throws(StorageError) {
      try configure(maxBytes: maxBytes)
    } catch {
      sqlite3_close_v2(handle)
      throw error
    }
  }

  deinit {
    for statement in statements.values { sqlite3_finalize(statement) }
    sqlite3_close_v2(handle)
  }

  private func configure(maxBytes: Int) throws(StorageError) {
    // A write ahead log survives the end of the process; a loss of power may cost the last moments, and those only.
    _ = try query("PRAGMA journal_mode = WAL")
    try run("PRAGMA synchronous = NORMAL")
    // What is deleted is overwritten: conversations lie in there.
    _ = try query("PRAGMA secure_delete = ON")
    try run("PRAGMA foreign_keys = ON")
    let pageSize = try query("PRAGMA page_size").first?.first?.intValue ?? 4096
    try setPragma("max_page_count", maxBytes / max(1, pageSize))
  }

  /// Runs a statement that returns nothing.
  func run(_ sql: StaticString, _ values: StoredValue...) throws(StorageError) {
    _ = try rows(sql, values)
  }

  /// Runs a statement and returns its rows.
  func query(_ sql: StaticString, _ values: StoredValue...) throws(StorageError) -> [[StoredValue]] {
    try rows(sql, values)
  }

  /// Sets one of SQLite's own numbers, which take no bound value.
  func setPragma(_ name: StaticString, _ value: Int) throws(StorageError) {
    try check(sqlite3_exec(handle, "PRAGMA \(name) = \(value)", nil, nil, nil))
  }

  /// Runs `work` as one change: all of it lasts, or nothing.
  func change(_ work: () throws(StorageError) -> Void) throws(StorageError) {
    try run("BEGIN IMMEDIATE")
    do throws(StorageError) {
      try work()
      try run("COMMIT")
    } catch {
      try? run("ROLLBACK")
      throw error
    }
  }

  /// Runs queries in one look at the database: to lock it for each takes as long as many a query.
  func look<T>(_ work: () throws(StorageError) -> T) throws(StorageError) -> T {
    try run("BEGIN")
    // Nothing was changed.
    defer { try? run("ROLLBACK") }
    return try work()
  }

  private func rows(_ sql: StaticString, _ values: [StoredValue]) throws(StorageError) -> [[StoredValue]] {
    let statement = try statement(sql)
    defer {
      sqlite3_reset(statement)
      sqlite3_clear_bindings(statement)
    }
    for (index, value) in values.enumerated() { try bind(value, at: Int32(index + 1), of: statement) }
    var rows: [[StoredValue]] = []
    while true {
      let code = sqlite3_step(statement)
      if code == SQLITE_DONE { return rows }
      guard code == SQLITE_ROW else { throw failure(code) }
      rows.append((0..<sqlite3_column_count(statement)).map { Self.value(at: $0, of: statement) })
    }
  }

  private func statement(_ sql: StaticString) throws(StorageError) -> OpaquePointer? {
    if let known = statements[sql.utf8Start] { return known }
    var statement: OpaquePointer?
    try check(sqlite3_prepare_v3(handle, sql.description, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil))
    statements[sql.utf8Start] = statement
    return statement
  }

  private func bind(_ value: StoredValue, at index: Int32, of statement: OpaquePointer?) throws(StorageError) {
    // SQLITE_TRANSIENT: SQLite makes a copy before the call returns.
    let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
    let code =
      switch value {
      case .null: sqlite3_bind_null(statement, index)
      case .int(let number): sqlite3_bind_int64(statement, index, Int64(number))
      case .text(let text):
        sqlite3_bind_text64(
          statement, index, text, UInt64(text.utf8.count), transient, UInt8(SQLITE_UTF8))
      case .bytes(let bytes): sqlite3_bind_blob64(statement, index, bytes, UInt64(bytes.count), transient)
      }
    try check(code)
  }

  private static func value(at column: Int32, of statement: OpaquePointer?) -> StoredValue {
    switch sqlite3_column_type(statement, column) {
    case SQLITE_INTEGER: return .int(Int(sqlite3_column_int64(statement, column)))
    case SQLITE_TEXT: return .text(String(decoding: bytes(at: column, of: statement), as: UTF8.self))
    case SQLITE_BLOB: return .bytes(bytes(at: column, of: statement))
    default: return .null
    }
  }

  private static func bytes(at column: Int32, of statement: OpaquePointer?) -> [UInt8] {
    // A blob of no bytes has no address.
    guard let start = sqlite3_column_blob(statement, column) else { return [] }
    return Array(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, column))))
  }

  private func check(_ code: Int32) throws(StorageError) {
    if code != SQLITE_OK { throw failure(code) }
  }

  private func failure(_ code: Int32) -> StorageError {
    StorageError(code, String(cString: sqlite3_errmsg(handle)))
  }
}
