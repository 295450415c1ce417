// What the kernel says of a process.

import Testing

@testable import Bridge

struct ProcessStatusTests {
  /// A host, a container that sees its own group as the root, and one that is told its path on the host.
  @Test(
    arguments: [
      (["/a/b": "150000 100000"], "0::/a/b", 1),
      (["/a/b": "400000 100000", "/a": "50000 50000", "/": "max 100000"], "0::/a/b", 1),
      (["/a/b": "max 100000", "/a": "200000 100000"], "1:name=x:/\n0::/a/b", 2),
      (["/": "50000 100000"], "0::/", 1),
      (["/": "300000 100000"], "0::/system.slice/docker-0123.scope", 3),
      (["/a": "max 100000"], "0::/a", nil),
      (["/": "50000 100000"], "9:cpu:/", nil),
      (["/": "50000 0"], "0::/", nil),
      (["/": "1e300 1"], "0::/", nil),
      (["/": "-1"], "0::/", nil),
      (["/": ""], "0::/", nil),
      ([:], "0::/a", nil),
      ([:], "", nil),
    ] as [([String: String], String, Int?)])
  func theQuotaIsTheLeastOfItsGroups(_ groups: [String: String], _ own: String, _ quota: Int?) throws {
    let root = try ScratchDirectory()
    var directories = ["proc", "proc/self", "sys", "sys/fs", "sys/fs/cgroup"]
    directories += ["sys/fs/cgroup/a", "sys/fs/cgroup/a/b"]
    for directory in directories { try root.makeDirectory(directory) }
    try root.write(own + "\n", to: "proc/self/cgroup")
    for (group, contents) in groups { try root.write(contents + "\n", to: "sys/fs/cgroup\(group)/cpu.max") }
    #expect(ProcessStatus.processorQuota(root: root.path) == quota)
  }

  @Test func aSystemWithoutGroupsBoundsNothing() throws {
    #expect(ProcessStatus.processorQuota(root: try ScratchDirectory().path) == nil)
  }
}
