// How much of the heap is in use, as the C library counts.

import Glibc
import Testing

/// The heap of this process.
enum HeapUse {
  private typealias MallocInfo = @convention(c) (CInt, UnsafeMutablePointer<FILE>) -> CInt

  /// Whether the heap is the C library's. A sanitizer brings its own, which this knows nothing of.
  static var isCounted: Bool { dlsym(nil, "__asan_init") == nil && dlsym(nil, "__tsan_init") == nil }

  /// Bytes that were allocated and not freed, over all arenas.
  static func bytes() throws -> Int {
    let report = try report()
    let free = size(report, "total type=\"fast\"") + size(report, "total type=\"rest\"")
    return size(report, "system type=\"current\"") - free + size(report, "total type=\"mmap\"")
  }

  /// What malloc_info(3) tells. Swift's `Glibc` knows neither that nor mallinfo2(3).
  private static func report() throws -> String {
    let symbol = try #require(dlsym(nil, "malloc_info"))
    let tell = unsafeBitCast(symbol, to: MallocInfo.self)
    var text: UnsafeMutablePointer<CChar>?
    var size = 0
    let file = try #require(open_memstream(&text, &size))
    let status = tell(0, file)
    fclose(file)
    defer { free(text) }
    #expect(status == 0)
    return try String(cString: #require(text))
  }

  /// The size in the last element of that kind: the totals of all arenas follow those of each.
  private static func size(_ report: String, _ element: String) -> Int {
    let line = report.split(separator: "\n").last { $0.contains(element) } ?? ""
    let words = line.split(separator: "\"")
    let name = words.firstIndex { $0.hasSuffix("size=") }
    return name.flatMap { Int(words[$0 + 1]) } ?? 0
  }
}
