#include "core/scaling/report.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace liminal::scaling {
namespace {

std::uint64_t observe(Service& service,
                      std::span<const Report::Row> rows,
                      const ServiceOptions& options) {
  std::uint64_t learnt = 0;
  for (const Report::Row& row : rows)
    learnt += service.observe(row.at, row.observed, options) ? 1U : 0U;
  return learnt;
}

/// What would have been learnt of the rows, told in time, and of what is known of other minutes.
Service learnt_in_time(const Service& service,
                       std::span<const Report::Row> rows,
                       const ServiceOptions& options) {
  Service earlier(service.model().horizon());
  const std::int64_t until = minute_of(rows.back().at);
  const std::uint64_t known = service.model().history().minutes();
  std::int64_t minute =
      service.model().history().last_minute() -
      static_cast<std::int64_t>(std::min<std::uint64_t>(known, LoadHistory::kWeek));
  const auto remember_before = [&](std::int64_t end) {
    for (; minute < end; ++minute) {
      if (const auto seen = service.remembered(minute))
        (void)earlier.observe(EventTime{std::chrono::minutes{minute}}, *seen, options);
    }
  };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::int64_t told = minute_of(rows[i].at);
    remember_before(told);
    minute = std::max(minute, told + 1);
    (void)earlier.observe(rows[i].at, rows[i].observed, options);
  }
  remember_before(until + 1);
  return earlier;
}

/// Rows of minutes that nothing is known of, of a service that is beyond them.
std::size_t count_unknown(const Service& service, std::span<const Report::Row> rows) {
  return static_cast<std::size_t>(std::count_if(rows.begin(), rows.end(), [&](const auto& row) {
    return !service.knows(minute_of(row.at));
  }));
}

}  // namespace

Learnt learn(Service& service, const Report& report, const ServiceOptions& options) {
  if (report.horizon_minutes) service.change_horizon(*report.horizon_minutes);
  const std::span rows(report.rows);
  std::size_t late = 0;
  if (service.observations() > 0) {
    while (late < rows.size() && minute_of(rows[late].at) < service.open_minute()) ++late;
  }
  Learnt out;
  if (const std::size_t unknown = count_unknown(service, rows.first(late)); unknown > 0) {
    if (unknown > service.model().history().known_minutes() &&
        service.begin_with(learnt_in_time(service, rows.first(late), options), options)) {
      out.rows = late;
      out.anew = true;
    } else {
      out.past = unknown;
    }
  }
  out.rows += observe(service, rows.subspan(late), options);
  out.late = rows.size() - out.rows;
  return out;
}

ServiceSummary summary_of(std::string name, const Service& service, const Advice& advice) {
  return {std::move(name),
          service.model().history().known_minutes(),
          service.present_load(),
          service.replicas(),
          advice.action,
          advice.replicas};
}

}  // namespace liminal::scaling
