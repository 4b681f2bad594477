// limits [FOLDER]: how far the numbers about limits are right that operators act on. README.md
// beside it says the method; FOLDER holds NAB's data.
#include <cstdio>

#include "capacity.hpp"
#include "reached.hpp"

int main(int argc, char** argv) {
  std::printf("What one instance takes, learnt\n\n");
  liminal::bench::print_capacity();
  std::printf("\nWhether a limit is reached within a week\n\n");
  liminal::bench::print_made_up();
  if (argc < 2) return 0;
  std::printf("\nThe same of NAB's series\n\n");
  liminal::bench::print_calibration(argv[1]);
  return 0;
}
