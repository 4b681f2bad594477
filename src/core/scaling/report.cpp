#include "core/scaling/report.hpp"

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

}  // namespace

Learnt learn(Service& service, const Report& report, const ServiceOptions& options) {
  if (report.horizon_minutes) service.change_horizon(*report.horizon_minutes);
  const std::span rows(report.rows);
  std::size_t past = 0;
  if (service.observations() > 0) {
    while (past < rows.size() && minute_of(rows[past].at) < service.first_minute()) ++past;
  }
  Learnt out;
  if (past > 0) {
    Service earlier(service.model().horizon());
    const std::uint64_t learnt = observe(earlier, rows.first(past), options);
    if (service.begin_with(std::move(earlier), options)) {
      out.rows = learnt;
    } else {
      out.past = past;
    }
  }
  out.rows += observe(service, rows.subspan(past), options);
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
