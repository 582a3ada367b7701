/// Which depths (segments of a path, labels of a name) occur in a table, one bit each, so that the others are not probed.
public enum DepthMask {
    /// Everything from 63 on shares the last bit.
    @inlinable public static func bit(_ depth: Int) -> UInt64 { 1 << UInt64(min(depth, 63)) }
}
