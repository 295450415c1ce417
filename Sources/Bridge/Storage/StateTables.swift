// The tables of `state.db`, and how an older file gets those that it lacks.

enum StateTables {
  /// The statements of each version; the number of those that a file has is its `user_version`.
  private static let versions: [[StaticString]] = [
    [
      """
      CREATE TABLE open_turns (
        turn TEXT PRIMARY KEY, owner TEXT NOT NULL, session TEXT, profile TEXT, thread TEXT NOT NULL, said BLOB NOT NULL,
        said_before INTEGER NOT NULL, session_turns INTEGER NOT NULL, is_resumed INTEGER NOT NULL, saved_at INTEGER NOT NULL)
      """,
      """
      CREATE TABLE open_calls (
        owner TEXT NOT NULL, call TEXT NOT NULL, turn TEXT NOT NULL REFERENCES open_turns ON DELETE CASCADE,
        PRIMARY KEY (owner, call, turn))
      """,
      """
      CREATE TABLE open_items (
        turn TEXT NOT NULL REFERENCES open_turns ON DELETE CASCADE, number INTEGER NOT NULL, item TEXT NOT NULL,
        PRIMARY KEY (turn, number))
      """,
      "CREATE INDEX open_calls_of_turn ON open_calls (turn)",
      "CREATE INDEX open_turns_by_age ON open_turns (saved_at)",
    ],
    [
      """
      CREATE TABLE point_threads (
        thread TEXT PRIMARY KEY, owner TEXT NOT NULL, session TEXT NOT NULL, profile TEXT NOT NULL,
        is_unnamed INTEGER NOT NULL, used_at INTEGER NOT NULL)
      """,
      """
      CREATE TABLE points (
        thread TEXT NOT NULL REFERENCES point_threads ON DELETE CASCADE, number INTEGER NOT NULL, turn TEXT,
        before BLOB NOT NULL, asked BLOB NOT NULL, answered BLOB, flags INTEGER NOT NULL,
        PRIMARY KEY (thread, number))
      """,
      "CREATE INDEX points_by_answer ON points (answered)",
      "CREATE INDEX point_threads_by_age ON point_threads (used_at)",
      "CREATE TABLE passing_threads (thread TEXT PRIMARY KEY)",
    ],
    ["CREATE INDEX points_by_question ON points (asked) WHERE answered IS NULL"],
    [
      """
      CREATE TABLE responses (
        id TEXT PRIMARY KEY, owner TEXT NOT NULL, created_at INTEGER NOT NULL, stage TEXT NOT NULL,
        is_background INTEGER NOT NULL, previous TEXT, conversation TEXT, session TEXT, profile TEXT, thread TEXT,
        turn TEXT, has_calls INTEGER, model TEXT, instructions TEXT, tools TEXT, answered BLOB, object TEXT NOT NULL)
      """,
      """
      CREATE TABLE response_items (
        response TEXT NOT NULL REFERENCES responses ON DELETE CASCADE, is_output INTEGER NOT NULL,
        number INTEGER NOT NULL, id TEXT NOT NULL, item TEXT NOT NULL, PRIMARY KEY (response, is_output, number))
      """,
      """
      CREATE TABLE response_sessions (
        owner TEXT NOT NULL, session TEXT NOT NULL, profile TEXT NOT NULL, PRIMARY KEY (owner, session, profile))
      """,
      """
      CREATE TABLE conversations (
        id TEXT PRIMARY KEY, owner TEXT NOT NULL, created_at INTEGER NOT NULL, metadata TEXT NOT NULL,
        is_changed INTEGER NOT NULL)
      """,
      """
      CREATE TABLE conversation_items (
        conversation TEXT NOT NULL REFERENCES conversations ON DELETE CASCADE, number INTEGER NOT NULL, id TEXT NOT NULL,
        item TEXT NOT NULL, is_told INTEGER NOT NULL, PRIMARY KEY (conversation, number))
      """,
      "CREATE INDEX responses_by_age ON responses (created_at)",
      "CREATE INDEX responses_by_session ON responses (session, owner)",
      "CREATE INDEX responses_unfinished ON responses (stage) WHERE stage = 'unfinished'",
      "CREATE INDEX response_items_by_id ON response_items (id)",
      "CREATE INDEX conversation_items_by_id ON conversation_items (conversation, id)",
    ],
  ]

  /// Makes the tables that are missing.
  static func make(in connection: SQLiteConnection) throws(StorageError) {
    guard try version(of: connection) < versions.count else { return }
    try connection.change { () throws(StorageError) in
      // Once more, inside the change: another process may have made them meanwhile.
      for statements in versions.dropFirst(try version(of: connection)) {
        for statement in statements { try connection.run(statement) }
      }
      try connection.setPragma("user_version", versions.count)
    }
  }

  private static func version(of connection: SQLiteConnection) throws(StorageError) -> Int {
    try connection.query("PRAGMA user_version").first?.first?.intValue ?? 0
  }
}
