#include "core/features/user_table.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/base/random.hpp"

namespace liminal::features {
namespace {

using traffic::Name;

using Table = UserTable<int>;

std::vector<std::pair<std::string, int>> contents(const Table& table) {
  std::vector<std::pair<std::string, int>> all;
  table.for_each([&](const Name& name, const int& state) { all.emplace_back(name.text, state); });
  return all;
}

/// The slow exact reference: least recently used first.
class Reference {
 public:
  explicit Reference(std::size_t users_max) : users_max_(users_max) {}

  int& find_or_add(const std::string& id) {
    auto found = find(id);
    if (found == users_.end()) {
      if (users_.size() == users_max_) {
        users_.erase(users_.begin());
        ++evictions_;
      }
      users_.emplace_back(id, 0);
    } else {
      std::rotate(found, found + 1, users_.end());
    }
    return users_.back().second;
  }
  bool erase(const std::string& id) {
    const auto found = find(id);
    if (found == users_.end()) return false;
    users_.erase(found);
    return true;
  }
  std::vector<std::pair<std::string, int>>::iterator find(const std::string& id) {
    return std::find_if(users_.begin(), users_.end(), [&](const auto& u) { return u.first == id; });
  }

  std::size_t users_max_;
  std::vector<std::pair<std::string, int>> users_;
  std::uint64_t evictions_ = 0;
};

/// Some are short, some on the heap, and many share a hash.
struct Id {
  explicit Id(std::uint64_t number)
      : text((number % 3 == 0 ? "a user with an id that is not short at all " : "u") +
             std::to_string(number)),
        name(text, number % 5 == 0 ? 42 : Name(text).hash) {}
  std::string text;
  Name name;
};

RC_GTEST_PROP(UserTable, IsLikeAListInOrderOfUse, (std::uint64_t seed)) {
  Random random(seed);
  const std::size_t users_max = 1 + random.below(60);
  const std::uint64_t ids = 1 + random.below(120);
  Table table(users_max);
  Reference reference(users_max);
  for (int step = 0; step < 600; ++step) {
    const Id id(random.below(ids));
    switch (random.below(4)) {
      case 0: {
        int* found = table.find(id.name);
        const auto wanted = reference.find(id.text);
        RC_ASSERT((found != nullptr) == (wanted != reference.users_.end()));
        if (found != nullptr) RC_ASSERT(*found == wanted->second);
        break;
      }
      case 1:
        RC_ASSERT(table.erase(id.name) == reference.erase(id.text));
        break;
      default:
        table.find_or_add(id.name) = step;
        reference.find_or_add(id.text) = step;
    }
    RC_ASSERT(table.size() == reference.users_.size());
  }
  RC_ASSERT(contents(table) == reference.users_);
  RC_ASSERT(table.evictions() == reference.evictions_);

  const auto odd = [](int state) { return state % 2 != 0; };
  const std::size_t erased = table.erase_if([&](const Name&, int state) { return odd(state); });
  const auto kept = std::remove_if(reference.users_.begin(),
                                   reference.users_.end(),
                                   [&](const auto& user) { return odd(user.second); });
  RC_ASSERT(erased == static_cast<std::size_t>(reference.users_.end() - kept));
  reference.users_.erase(kept, reference.users_.end());
  RC_ASSERT(contents(table) == reference.users_);
}

RC_GTEST_PROP(UserTable, GoesOnAfterASnapshot, (std::uint64_t seed)) {
  Random random(seed);
  Table table(20);
  const auto use = [](Table& target, std::uint64_t number, int state) {
    target.find_or_add(Name(std::to_string(number))) = state;
  };
  for (int i = 0; i < 100; ++i) use(table, random.below(40), i);
  Writer out;
  table.save(out, [](const int& state, Writer& to) { to.put(state); });
  Reader in(out.bytes());
  Table read(20);
  RC_ASSERT(read.load(in, [](Reader& from, int& state) { from.get(state); }).has_value());
  RC_ASSERT(in.at_end());

  for (int i = 0; i < 50; ++i) {
    const std::uint64_t number = random.below(40);
    use(table, number, i);
    use(read, number, i);
    RC_ASSERT(contents(read) == contents(table));
  }
}

TEST(UserTable, AStateStaysWhereItIs) {
  Table table(10'000);
  int* first = &table.find_or_add(Name("first"));
  *first = 7;
  for (int i = 0; i < 9'000; ++i) table.find_or_add(Name(std::to_string(i)));
  EXPECT_EQ(table.find(Name("first")), first);
  EXPECT_EQ(*first, 7);
}

TEST(UserTable, AReusedPlaceStartsAnew) {
  Table table(1);
  table.find_or_add(Name("a")) = 5;
  bool added = false;
  EXPECT_EQ(table.find_or_add(Name("b"), &added), 0);
  EXPECT_TRUE(added);
  EXPECT_EQ(table.find(Name("a")), nullptr);
  EXPECT_EQ(table.evictions(), 1u);
}

TEST(UserTable, CostsAtMost120BytesAUserBesidesTheState) {
  struct State {
    char bytes[600];
  };
  for (const std::size_t users : {20'000u, 30'000u, 60'000u}) {
    UserTable<State> table(100'000);
    for (std::size_t i = 0; i < users; ++i) table.find_or_add(Name("user-" + std::to_string(i)));
    EXPECT_LT(table.memory_bytes() / users, sizeof(State) + 120) << users;
  }
}

TEST(UserTable, RefusesASnapshotThatMakesNoSense) {
  const auto load_state = [](Reader& from, int& state) { from.get(state); };
  const auto loads = [&](auto write) {
    Writer out;
    write(out);
    Reader in(out.bytes());
    Table table(10);
    const bool ok = table.load(in, load_state).has_value();
    EXPECT_TRUE(ok || table.empty());
    return ok;
  };
  const auto put = [](Writer& out, std::string_view id) {
    out.put_text(id);
    out.put(1);
  };
  EXPECT_TRUE(loads([&](Writer& out) { out.put_varint(1), put(out, "a"); }));
  EXPECT_FALSE(loads([&](Writer& out) { out.put_varint(2), put(out, "a"); }));
  EXPECT_FALSE(loads([&](Writer& out) { out.put_varint(2), put(out, "a"), put(out, "a"); }));
  EXPECT_FALSE(loads([&](Writer& out) { out.put_varint(1), put(out, ""); }));
  EXPECT_FALSE(loads([&](Writer& out) { out.put_varint(1), put(out, std::string(129, 'a')); }));
  EXPECT_FALSE(loads([&](Writer& out) { out.put_varint(~0ULL), put(out, "a"); }));
}

TEST(UserTable, MovesWithItsUsers) {
  Table table(10);
  table.find_or_add(Name("a")) = 1;
  Table other = std::move(table);
  EXPECT_EQ(*other.find(Name("a")), 1);
}

}  // namespace
}  // namespace liminal::features
