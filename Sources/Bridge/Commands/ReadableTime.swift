// Times and sizes for people.

import Glibc

enum ReadableTime {
  /// A time of day in seconds since 1970 as "2026-11-30 15:20", in the time zone of whoever reads it.
  static func local(_ seconds: Int) -> String {
    var seconds = time_t(seconds)
    var parts = tm()
    localtime_r(&seconds, &parts)
    let two = { (value: Int32) in value < 10 ? "0\(value)" : String(value) }
    let date = "\(Int(parts.tm_year) + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
    return "\(date) \(two(parts.tm_hour)):\(two(parts.tm_min))"
  }

  /// Seconds as "3 d 4 h", "5 min" or "12 s": the two largest units.
  static func length(_ seconds: Int) -> String {
    let units = [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)]
    guard let first = units.firstIndex(where: { seconds >= $0.1 }) else { return "0 s" }
    var rest = seconds
    let parts = units[first..<min(first + 2, units.count)].compactMap { name, size -> String? in
      let count = rest / size
      rest %= size
      return count > 0 ? "\(count) \(name)" : nil
    }
    return parts.joined(separator: " ")
  }

  /// Minutes of a limit's window as "5 h" or "7 d".
  static func window(_ minutes: Int) -> String { length(min(max(minutes, 0), 1 << 40) * 60) }
}
