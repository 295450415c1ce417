// Words of a POSIX shell, for commands that a person is told to run.

extension String {
  /// The text as one word of a shell: as it is where no character of it means anything to a shell, else in single quotes.
  var shellQuoted: String {
    let isPlain =
      !isEmpty && utf8.allSatisfy { $0.isDigit || $0.lowercased &- 0x61 < 26 || "@%+=:,./-_".utf8.contains($0) }
    return isPlain ? self : "'\(replacing("'", with: "'\\''"))'"
  }
}
