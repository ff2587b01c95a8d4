import LociBase
import Testing

@testable import LociSearch

@Suite struct LocationJournalTests {
    /// Who keeps a copy of the set of living locations by asking for news.
    private struct Follower {
        var alive: Set<LocationID> = []
        var known: UInt64 = 0
        var isContinuing = false

        /// One answer of at most `limit` births. A copy that is too old starts anew.
        mutating func ask(_ journal: LocationJournal, limit: Int) {
            let isTooOld = known < journal.floor && !isContinuing
            let since = isTooOld ? 0 : known
            if since == 0 { alive = [] }
            let news = journal.news(since: since, limit: limit)
            alive.formUnion(news.born)
            alive.subtract(news.retired)
            #expect(news.hasMore || news.version == journal.version)
            #expect(news.version >= since && news.born.count <= limit)
            known = news.version
            isContinuing = news.hasMore
        }

        mutating func catchUp(_ journal: LocationJournal, limit: Int) {
            repeat { ask(journal, limit: limit) } while isContinuing
        }
    }

    /// Locations that are born and retired at random.
    private struct Life {
        var journal = LocationJournal()
        var alive: [LocationID] = []
        var next: LocationID = 0
        var random: SeededRandom

        mutating func born() {
            journal.born(next)
            alive.append(next)
            next += 1
        }

        mutating func retire() {
            guard !alive.isEmpty else { return }
            journal.retired(alive.remove(at: random.below(alive.count)), successors: [next])
        }

        mutating func step() {
            if random.below(20 + alive.count) < 20 { born() } else { retire() }
        }
    }

    @Test(arguments: 1...4) func aFollowerOfAnyAgeEndsWithWhatLives(seed: UInt64) {
        var life = Life(random: SeededRandom(seed: seed))
        var random = SeededRandom(seed: seed ^ 0xF0)
        var followers = Array(repeating: Follower(), count: 6)
        for _ in 0..<1500 {
            life.step()
            if random.below(9) == 0 {
                let place = random.below(followers.count)
                followers[place].ask(life.journal, limit: 1 + random.below(12))
            }
        }
        for index in followers.indices {
            followers[index].catchUp(life.journal, limit: 1 + index * 3)
            #expect(followers[index].alive == Set(life.alive))
            #expect(followers[index].known == life.journal.version)
        }
    }

    /// More retirements than are remembered: old copies start anew, young ones go on.
    @Test func followersCatchUpAlsoWhenRetirementsWereForgotten() {
        var life = Life(random: SeededRandom(seed: 5))
        var young = Follower()
        var old = Follower()
        for _ in 0..<30 { life.born() }
        old.catchUp(life.journal, limit: 7)
        for round in 0..<(2 * LocationJournal.remembered + 100) {
            life.born()
            life.retire()
            if round % 500 == 0 { young.catchUp(life.journal, limit: 9) }
        }
        #expect(life.journal.floor > old.known && life.journal.floor < young.known)
        #expect(life.journal.retirements.count <= 2 * LocationJournal.remembered)
        var new = Follower()
        new.catchUp(life.journal, limit: 4)
        old.catchUp(life.journal, limit: 7)
        young.catchUp(life.journal, limit: 9)
        for follower in [new, old, young] { #expect(follower.alive == Set(life.alive)) }
    }

    @Test func aSnapshotKeepsAllThatFollowersAsk() throws {
        var life = Life(random: SeededRandom(seed: 6))
        for _ in 0..<300 { life.step() }
        var writer = ByteWriter()
        life.journal.write(to: &writer)
        var reader = ByteReader(writer.finished)
        let copy = try LocationJournal(from: &reader)
        #expect(reader.isAtEnd && copy == life.journal && copy.floor == life.journal.floor)
        for since in 0...copy.version {
            let news = life.journal.news(since: since, limit: 5)
            let same = copy.news(since: since, limit: 5)
            #expect(news.born == same.born && news.retired == same.retired)
            #expect(news.version == same.version && news.hasMore == same.hasMore)
        }
    }

    @Test func heirsAreTheLivingDescendants() {
        var journal = LocationJournal()
        for location in LocationID(0)...4 { journal.born(location) }
        journal.retired(0, successors: [1, 2])
        journal.retired(1, successors: [3, 4])
        journal.retired(4, successors: [])
        let alive: Set<LocationID> = [2, 3]
        #expect(Set(journal.heirs(of: 0, isAlive: alive.contains)) == alive)
        #expect(journal.heirs(of: 3, isAlive: alive.contains) == [3])
        #expect(journal.heirs(of: 4, isAlive: alive.contains).isEmpty)
        #expect(journal.heirs(of: 99, isAlive: alive.contains).isEmpty)
    }
}
