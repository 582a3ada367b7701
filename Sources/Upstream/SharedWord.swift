import Synchronization

/// One word of shared memory that several processes write. Zero at first, as fresh shared memory is.
///
/// The word outlives this value and the process. It is aligned to eight octets.
public struct SharedWord: @unchecked Sendable {
    @usableFromInline let word: UnsafeMutablePointer<Atomic<UInt64>>

    @inlinable public init(_ place: UnsafeMutableRawPointer) {
        word = place.assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// Nothing else is ordered by it.
    @inlinable public var value: UInt64 {
        get { word.pointee.load(ordering: .relaxed) }
        nonmutating set { word.pointee.store(newValue, ordering: .relaxed) }
    }

    /// What was written before it by who stored it is seen after this.
    @inlinable public func acquire() -> UInt64 { word.pointee.load(ordering: .acquiring) }
    @inlinable public func release(_ value: UInt64) { word.pointee.store(value, ordering: .releasing) }

    /// - Returns: the sum.
    @discardableResult
    @inlinable public func add(_ amount: UInt64) -> UInt64 {
        word.pointee.wrappingAdd(amount, ordering: .relaxed).newValue
    }

    /// Puts `desired` in the place of `expected`. False: something else was there, and is told.
    @inlinable public func replace(_ expected: UInt64, by desired: UInt64) -> (isDone: Bool, was: UInt64) {
        let result = word.pointee.compareExchange(
            expected: expected, desired: desired, ordering: .acquiringAndReleasing)
        return (result.exchanged, result.original)
    }

    /// Everything this process wrote before is seen by others before what it reads after.
    @inlinable public static func fence() { atomicMemoryFence(ordering: .sequentiallyConsistent) }
}
