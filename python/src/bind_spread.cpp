#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <string>
#include <vector>

#include "bind.hpp"
#include "core/base/hash.hpp"
#include "server/training/held_out.hpp"

namespace liminal::python {
namespace {

using namespace nb::literals;

using Rows = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

Array<std::uint64_t> user_hashes(const std::vector<std::string>& users) {
  std::vector<std::uint64_t> hashes;
  hashes.reserve(users.size());
  for (const std::string& user : users) hashes.push_back(hash64(user));
  return to_array(std::move(hashes));
}

template <class T, class Value>
void take(const std::optional<Column<T>>& column,
          bool needed,
          std::size_t rows,
          const char* field,
          std::vector<Value>& to) {
  if (!needed) return;
  if (!column || column->shape(0) != rows)
    raise_value(field, "must have a value for each of " + std::to_string(rows) + " rows");
  to.assign(column->data(), column->data() + rows);
}

Array<std::uint8_t> learnt_from(const Rows& values,
                                const std::optional<Column<double>>& times,
                                const std::optional<Column<std::uint64_t>>& users,
                                bool by_users,
                                bool by_values,
                                bool by_time,
                                double begin_s,
                                double gap_s) {
  const std::size_t rows = values.shape(0);
  training::Parting parting{by_users, {}, by_values};
  if (by_time) parting.cut = training::Parting::Cut{begin_s, gap_s};
  learn::Table table;
  table.features.resize(values.shape(1));
  table.values.assign(values.data(), values.data() + values.size());
  take(times, by_time, rows, "times", table.times_s);
  take(users, by_users, rows, "users", table.groups);
  auto learnt = [&] {
    const nb::gil_scoped_release release;
    return training::learnt_from(parting, table);
  }();
  return to_array(std::move(learnt));
}

}  // namespace

void bind_spread(nb::module_& module) {
  module.def("user_hashes",
             &user_hashes,
             "users"_a,
             "What stands for users in tables: uint64 of shape (n,).");
  module.def(
      "learnt_from",
      &learnt_from,
      "values"_a,
      "times"_a.none(),
      "users"_a.none(),
      "by_users"_a,
      "by_values"_a,
      "by_time"_a,
      "begin_s"_a,
      "gap_s"_a,
      R"(Of each row 1 where a training learns from it, 0 where it judges: uint8 of shape (n,).

values: float32 of shape (n, k). times: seconds, float64 of shape (n,). users: as ``user_hashes`` has
them. What parts the rows is given as a distributed training has it. Raises ValueError.)");
}

}  // namespace liminal::python
