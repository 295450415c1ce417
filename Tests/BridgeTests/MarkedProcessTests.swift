// Processes found by what their environment says.

import Glibc
import Testing

@testable import Bridge

struct MarkedProcessTests {
  /// A sleeping program with these variables, ended when the test lets go of it.
  private final class Sleeper {
    let id: pid_t

    init(_ environment: [String], program: String = "/bin/sleep") throws {
      var id: pid_t = 0
      let status = Self.withCStrings(["sleep", "60"]) { arguments in
        Self.withCStrings(environment) { posix_spawn(&id, program, nil, nil, arguments, $0) }
      }
      try #require(status == 0)
      self.id = id
    }

    deinit {
      kill(id, SIGKILL)
      waitpid(id, nil, 0)
    }

    private static func withCStrings<Result>(
      _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
      let copies = strings.map { strdup($0) }
      defer { for copy in copies { free(copy) } }
      return body(copies + [nil])
    }
  }

  private static func newMark() -> String { "mark-\(UInt64.random(in: 0...UInt64.max))" }

  /// A program is named in /proc a moment before its environment is its own.
  private func find(_ values: Set<String>, _ count: Int) async -> [MarkedProcess] {
    for _ in 0..<500 {
      let found = MarkedProcess.all("BRIDGE_TEST_MARK", in: values)
      if found.count == count { return found }
      usleep(10_000)
    }
    return MarkedProcess.all("BRIDGE_TEST_MARK", in: values)
  }

  @Test func findsThoseWithOneOfTheValues() async throws {
    let (a, b) = (Self.newMark(), Self.newMark())
    let before = ProcessClock.now
    let first = try Sleeper(["PATH=/bin", "BRIDGE_TEST_MARK=\(a)"])
    let second = try Sleeper(["BRIDGE_TEST_MARK=\(b)", "X=1"])
    // Not the value, not all of it, not the variable.
    let others = try [
      Sleeper(["BRIDGE_TEST_MARK=\(a)x"]), Sleeper(["X=BRIDGE_TEST_MARK=\(a)"]),
      Sleeper(["XBRIDGE_TEST_MARK=\(a)"]), Sleeper([]),
    ]
    let found = await find([a, b], 2)
    #expect(Set(found.map(\.id)) == [first.id, second.id])
    #expect(await find([b], 1).map(\.mark) == [b])
    for process in found {
      #expect(process.session == getsid(0))
      #expect((before - 1...ProcessClock.now).contains(process.startedAt))
    }
    #expect(MarkedProcess.all("BRIDGE_TEST_MARK", in: []).isEmpty)
    #expect(MarkedProcess.all("BRIDGE_TEST_MARK", in: [Self.newMark()]).isEmpty)
    withExtendedLifetime(others) {}
  }

  /// The name of a program is its own choice.
  @Test func aNameWithBracketsHidesNoSession() async throws {
    let directory = try ScratchDirectory()
    let program = directory.path + "/x) S 1 2 3"
    #expect(symlink("/bin/sleep", program) == 0)
    let mark = Self.newMark()
    let sleeper = try Sleeper(["BRIDGE_TEST_MARK=\(mark)"], program: program)
    let found = await find([mark], 1)
    #expect(found.map(\.id) == [sleeper.id])
    #expect(found.map(\.session) == [getsid(0)])
    #expect(ProcessStatus.origin(of: 0) == nil)
  }

  @Test func theClockCountsHundredths() {
    #expect(ProcessClock.ticks(.milliseconds(1990)) == 199)
    #expect(ProcessClock.ticks(.zero) == 0)
    #expect(ProcessClock.now > 0)
  }
}
