// Scripts taken out of the command lines of the app-server, and what is left whole.

import Testing

@testable import Bridge

struct ShellCommandTests {
  @Test(
    arguments: [
      ("/bin/bash -lc 'touch a'", "touch a"), ("/bin/bash -lc cat", "cat"), ("/bin/sh -c ''", ""),
      ("/usr/bin/zsh -lc \"it's\"", "it's"),
      // As Codex joins `touch a 'b c' "$HOME"`.
      (#"/bin/bash -lc "touch a 'b c' \""'$HOME"'"#, #"touch a 'b c' "$HOME""#),
      ("/bin/bash -lc \"cat > q <<'EOF'\nx\nEOF\n\"", "cat > q <<'EOF'\nx\nEOF\n"),
      (#"/bin/bash -lc "a\\b\n""#, #"a\b\n"#), (#"/bin/bash -lc a\ b"#, "a b"), ("  /bin/bash  -lc  'x' ", "x"),
    ])
  func takesTheScriptOutOfAKnownShell(_ line: String, _ script: String) {
    #expect(ShellCommand(line)?.script == script)
  }

  @Test func namesTheShell() {
    #expect(ShellCommand("/bin/bash -lc ls")?.shell == "/bin/bash -lc")
    #expect(ShellCommand("/usr/bin/sh -c ls")?.shell == "/usr/bin/sh -c")
  }

  /// What would be hidden there could be anything.
  @Test(arguments: [
    "", "ls", "touch a", "bash -lc ls", "/tmp/bash -lc ls", "/bin/../tmp/bash -lc ls", "/bin/python3 -c x",
    "/bin/bash -lc", "/bin/bash -lc a b", "/bin/bash -lc a b c d", "/bin/bash -x ls", "/bin/bash -lxc ls",
    "/bin/bash -lc ls; rm x", "/bin/bash -lc ls&", "/bin/bash -lc $X", "/bin/bash -lc \"$X\"",
    "/bin/bash -lc \"`x`\"", "/bin/bash -lc 'a", "/bin/bash -lc \"a", "/bin/bash -lc a\\", "A=1 /bin/bash -lc ls",
    "/bin/bash -lc #x", "/bin/bash -lc ~", "/bin/bash -lc *", "/bin/bash -lc x >y",
  ])
  func leavesEverythingElseWhole(_ line: String) { #expect(ShellCommand(line) == nil) }
}
