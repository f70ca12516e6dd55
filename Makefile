# Builds, tests and installs locum. `make help` lists the targets and the settings.

ifeq ($(origin CC),default)
CC := gcc
endif
B ?= build
PREFIX ?= /usr/local
DESTDIR ?=
DEV ?=
SANITIZE ?=

# V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf "%-5s %s\n" $(1) $@)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

# --- flags ---------------------------------------------------------------------------------------

CFLAGS ?= -g
WARNINGS := -Wall -Wextra -Wshadow -Wconversion
STRICT := -Werror -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wswitch-enum \
	-Wformat=2 -Wundef -Wvla -Wpointer-arith -Wwrite-strings
IS_CLANG := $(findstring clang,$(CC))
STRICT += $(if $(IS_CLANG),-Wcomma -Wunreachable-code,-Wlogical-op -Wduplicated-cond)
HARDENING := -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
SANITIZING := -O1 -fno-omit-frame-pointer -fsanitize=$(SANITIZE) -fno-sanitize-recover=all

MODE_FLAGS := $(if $(SANITIZE),$(SANITIZING),$(HARDENING)) $(if $(DEV),$(STRICT))
CODE_MODEL := -fPIE
COMPILE_FLAGS = -std=gnu17 -D_GNU_SOURCE -I. -Iinclude -I$(B)/gen $(MODE_FLAGS) $(WARNINGS) $(CODE_MODEL) \
	-fstack-protector-strong -pthread $(CPPFLAGS) $(CFLAGS)
LINK_FLAGS = -pie -pthread -Wl,-z,relro,-z,now $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(LDFLAGS)

# --- sources: what is there is built -------------------------------------------------------------

LIBS := base db client dispatcher agent host tools chaos support
DIR_base := base
DIR_db := db
DIR_client := lib
DIR_dispatcher := dispatcher
DIR_agent := agent
DIR_host := agent/host
DIR_tools := tools/locum
DIR_chaos := tools/chaos $(addprefix tools/chaos/,plan play stage relay undo faults history judge report)
DIR_support := tests/support
GENERATED_db := $(B)/gen/db/embedded_sql.c
CHAOS_SQL := $(sort $(wildcard tools/chaos/sql/*.sql))
CHAOS_SUITES := $(sort $(wildcard tools/chaos/suites/*.conf))
GENERATED_chaos := $(B)/gen/chaos/embedded_sql.c

PROGRAM_MAINS := dispatcher/main.c agent/main.c agent/host/main.c tools/locum/main.c tools/bench/main.c \
	tools/chaos/main.c
NAME_dispatcher := locumd
NAME_agent := locum-agent
NAME_agent/host := locum-host
NAME_tools/locum := locum
NAME_tools/bench := locum-bench
NAME_tools/chaos := locum-chaos

object = $(patsubst %.c,$(B)/obj/%.o,$(patsubst $(B)/gen/%,gen/%,$(1)))
sources = $(filter-out %/main.c,$(wildcard $(addsuffix /*.c,$(DIR_$(1))))) $(GENERATED_$(1))
archives = $(foreach lib,$(1),$(if $(strip $(call sources,$(lib))),$(B)/lib$(lib).a))

MAINS := $(wildcard $(PROGRAM_MAINS))
PROGRAMS := $(foreach main,$(MAINS),$(B)/bin/$(NAME_$(patsubst %/main.c,%,$(main))))
TEST_KINDS := unit db scenarios
tests_of = $(patsubst %.c,$(B)/%,$(wildcard tests/$(1)/test_*.c))
TESTS := $(foreach kind,$(TEST_KINDS),$(call tests_of,$(kind)))
BENCH_SQL := $(sort $(wildcard tools/bench/sql/bare_*.sql tools/bench/sql/pgq_*.sql))
BENCH_SOURCES := $(wildcard tools/bench/*.c) $(if $(BENCH_SQL),$(B)/gen/bench/embedded_sql.c)
FORMATTED = $(shell find . -path ./build -prune -o -name '*.[ch]' -print)

MIGRATIONS := $(sort $(wildcard db/migrations/*.sql))
FUNCTIONS := $(sort $(wildcard db/functions/*.sql))
STATEMENTS := $(sort $(wildcard db/sql/*.sql))
STATES := $(if $(wildcard db/states.def),$(B)/gen/db/states.sql)
STATES_TYPE := $(if $(wildcard db/states.def),$(B)/gen/db/job_state_type.sql)

# --- libraries, asked for only when something is built -------------------------------------------

PACKAGES := libpq uuid libuv libconfuse jansson smartcols
pkg_config = $(shell pkg-config $(1))
PACKAGE_CFLAGS = $(eval PACKAGE_CFLAGS := $$(call pkg_config,--cflags $(PACKAGES)))$(PACKAGE_CFLAGS)

PKG_locumd := libpq uuid libconfuse jansson
PKG_locum-agent := uuid libuv
PKG_locum-host := libpq uuid
PKG_locum := libpq uuid jansson smartcols
PKG_locum-bench := libpq uuid jansson
PKG_locum-chaos := libpq uuid libconfuse jansson smartcols
PKG_liblocum := libpq uuid
PKG_tests := $(PACKAGES) cmocka

# --- targets -------------------------------------------------------------------------------------

.PHONY: all tests unit-tests db-tests scenarios-tests help deps deps-run run test check \
	bench bench-readme install clean format states-diagram FORCE

plugins_of = $(patsubst $(1)/%.c,$(B)/plugins/%.so,$(wildcard $(1)/*.c))
PLUGINS := $(call plugins_of,examples/plugins) $(call plugins_of,tools/bench/plugins)
TEST_PLUGINS := $(call plugins_of,tests/plugins)

HANDLERS := $(patsubst examples/handlers/%.c,$(B)/handlers/%,$(wildcard examples/handlers/*.c))

VERSION := $(shell sed -n 's/.*LOCUM_VERSION "\(.*\)"/\1/p' base/version.h)
LIBRARY := $(B)/lib/liblocum.so $(B)/lib/liblocum.a

# What the failure harness gives to those whom it watches: its handlers, and a clock that is wrong.
CHAOS_SUPPORT := $(B)/harness/witness $(B)/harness/witness.so $(B)/harness/skew.so

all: $(PROGRAMS) $(PLUGINS) $(HANDLERS) $(LIBRARY) $(CHAOS_SUPPORT) $(call archives,$(filter-out support,$(LIBS))) ## build everything but the tests (the default)
tests: $(TESTS) $(TEST_PLUGINS) $(HANDLERS) $(CHAOS_SUPPORT)
unit-tests: $(call tests_of,unit) $(TEST_PLUGINS) $(HANDLERS) $(CHAOS_SUPPORT)
db-tests: $(call tests_of,db) $(TEST_PLUGINS)
scenarios-tests: $(call tests_of,scenarios) $(TEST_PLUGINS) $(HANDLERS) $(CHAOS_SUPPORT)

help: ## show this
	@echo 'Targets:'
	@sed -n 's/^\([a-z-]*\):.* ## \(.*\)/  \1	\2/p' Makefile | expand -t 18
	@echo 'Settings: B=build CC=gcc|clang DEV=1 SANITIZE=address,undefined|thread V=1'
	@echo '          CFLAGS LDFLAGS PREFIX=/usr/local DESTDIR='

deps: ## install everything that building and testing need (Debian)
	@tools/house/deps.sh all

deps-run: ## install only what building and running need (Debian)
	@tools/house/deps.sh run

# The second make sees what the first one installed.
run: deps-run ## build, start a private cluster and show a takeover
	@$(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc)) all
	@B='$(B)' tools/demo/run.sh

test: deps ## run every check and every test
	@tests/run

check: ## check the rules of the house (seconds, needs no database)
	@tools/house/check.sh '$(B)'

bench: all ## measure, 25 minutes (FULL=1: two hours); report and plots: build/bench
	@tools/house/deps.sh bench || echo 'bench: what is missing is not measured' >&2
	@B='$(B)' FULL='$(FULL)' tools/bench/run.sh

bench-readme: ## put the table of the last benchmark's report into README.md
	@tools/bench/readme.sh '$(B)/bench' README.md

format: ## let clang-format lay out every C file
	clang-format -i $(FORMATTED)

clean: ## remove what was built
	rm -rf '$(B)'

states-diagram: ## print the job states as a Mermaid diagram
	@tools/house/states.sh diagram db/states.def

install: all ## install into DESTDIR/PREFIX
	@tools/house/install.sh '$(B)' '$(DESTDIR)' '$(PREFIX)'

# --- stamps: rebuild when the flags or the set of files change -----------------------------------

# stamp FILE TEXT: FILE holds TEXT, and is newer than what depends on it only when that changed.
define stamp
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(1))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(1))' > $@
endef

$(B)/flags: FORCE
	@pkg-config --exists --print-errors '$(PACKAGES)' || \
		{ echo "libraries are missing: run 'make deps'" >&2; exit 1; }
	$(call stamp,$(CC) $(COMPILE_FLAGS) | $(LINK_FLAGS))

$(B)/files: FORCE
	$(call stamp,$(sort $(foreach lib,$(LIBS),$(call sources,$(lib))) $(BENCH_SOURCES)))

$(B)/sql: FORCE
	$(call stamp,$(MIGRATIONS) $(FUNCTIONS) $(STATEMENTS) $(STATES))

$(B)/chaos: FORCE
	$(call stamp,$(CHAOS_SQL) $(CHAOS_SUITES))

# --- generated sources ---------------------------------------------------------------------------

$(B)/gen/db/states.sql: db/states.def tools/house/states.sh
	@mkdir -p $(@D)
	$(call say,GEN)
	$(Q)tools/house/states.sh functions $< > $@

$(B)/gen/db/job_state_type.sql: db/states.def tools/house/states.sh
	@mkdir -p $(@D)
	$(call say,GEN)
	$(Q)tools/house/states.sh type $< > $@

$(B)/gen/db/embedded_sql.c: $(MIGRATIONS) $(FUNCTIONS) $(STATEMENTS) $(STATES) $(STATES_TYPE) \
		$(wildcard db/columns/*.sql) $(B)/sql base/limits.h tools/house/embed.sh tools/house/expand.awk
	@mkdir -p $(@D)
	$(call say,GEN)
	$(Q)tools/house/embed.sh base/limits.h $(@D) MIGRATIONS $(MIGRATIONS) -- \
		FUNCTIONS $(STATES) $(FUNCTIONS) -- STATEMENTS $(STATEMENTS) > $@

$(B)/gen/bench/embedded_sql.c: $(BENCH_SQL) tools/house/embed.sh tools/house/expand.awk
	@mkdir -p $(@D)
	$(call say,GEN)
	$(Q)tools/house/embed.sh base/limits.h $(@D) BENCH $(BENCH_SQL) > $@

$(B)/gen/chaos/embedded_sql.c: $(CHAOS_SQL) $(CHAOS_SUITES) $(B)/chaos tools/house/embed.sh tools/house/expand.awk
	@mkdir -p $(@D)
	$(call say,GEN)
	$(Q)tools/house/embed.sh base/limits.h $(@D) CHAOS $(CHAOS_SQL) -- SUITES $(CHAOS_SUITES) > $@

# --- objects, libraries, programs ----------------------------------------------------------------

define compile
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(COMPILE_FLAGS) $(PACKAGE_CFLAGS) -MMD -MP -c -o $@ $<
endef

$(B)/obj/gen/%.o: $(B)/gen/%.c $(B)/flags
	$(compile)

$(B)/obj/%.o: %.c $(B)/flags
	$(compile)

# What liblocum.so is made of is position-independent.
$(addprefix $(B)/obj/,base/% db/% lib/% gen/db/%): CODE_MODEL := -fPIC -fno-semantic-interposition

define library_rule
$(B)/lib$(1).a: $(call object,$(call sources,$(1))) $(B)/files
	@rm -f $$@
	$$(call say,AR)
	$$(Q)ar rcs $$@ $$(filter %.o,$$^)
endef
$(foreach lib,$(LIBS),$(eval $(call library_rule,$(lib))))

# link PACKAGES: $@ from the objects and, in the order given, the archives among the prerequisites
define link
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(LINK_FLAGS) -o $@ $(filter %.o,$^) \
		-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(if $(filter %.so,$^), \
		$(filter %.so,$^) -Wl$(comma)-rpath$(comma)$(abspath $(B)/lib)) \
		$(call pkg_config,--libs $(1)) -ldl -lm
endef
comma := ,

$(B)/bin/locumd: $(B)/obj/dispatcher/main.o $(call archives,dispatcher db base)
	$(call link,$(PKG_locumd))

$(B)/bin/locum-agent: $(B)/obj/agent/main.o $(call archives,agent base)
	$(call link,$(PKG_locum-agent))

# Plugins find the functions of include/locum/plugin.h, and no others, in the host itself.
PLUGIN_API = $(sort $(shell grep -o 'locum_job_[a-z_]*' include/locum/plugin.h))
$(B)/bin/locum-host: LDFLAGS += $(PLUGIN_API:%=-Wl,--export-dynamic-symbol=%)
$(B)/bin/locum-host: $(B)/obj/agent/host/main.o $(call archives,host agent db base)
	$(call link,$(PKG_locum-host))

$(B)/bin/locum: $(B)/obj/tools/locum/main.o $(call archives,tools db base)
	$(call link,$(PKG_locum))

# Its name carries what programs rely on: they ask for liblocum.so.0, whatever its version.
SHARED := liblocum.so.$(VERSION)
SONAME := liblocum.so.0
EXPORTS := lib/liblocum.map
$(B)/lib/$(SHARED): $(call archives,client db base) $(EXPORTS) $(B)/flags
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) -shared -pthread -Wl,-soname,$(SONAME) -Wl,--version-script=$(EXPORTS) \
		-Wl,--no-undefined-version -Wl,-z,relro,-z,now \
		$(if $(SANITIZE),-fsanitize=$(SANITIZE),-Wl$(comma)-z$(comma)defs) $(LDFLAGS) -o $@ \
		-Wl,--whole-archive $(B)/libclient.a -Wl,--no-whole-archive \
		-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(call pkg_config,--libs $(PKG_liblocum))

$(B)/lib/liblocum.so: $(B)/lib/$(SHARED)
	@ln -sf $(SHARED) $(B)/lib/$(SONAME)
	@ln -sf $(SONAME) $@

# One object, so that what the library uses inside has no name outside.
$(B)/lib/liblocum.a: $(call archives,client db base) $(EXPORTS) $(B)/flags
	@mkdir -p $(@D)
	$(call say,AR)
	$(Q)sed -n 's/^	\(locum_[a-z_]*\);$$/\1/p' $(EXPORTS) > $(B)/lib/exports
	$(Q)$(CC) -r -nostdlib -o $(B)/lib/liblocum.o -Wl,--whole-archive $(B)/libclient.a \
		-Wl,--no-whole-archive -Wl,--start-group $(filter %.a,$^) -Wl,--end-group
	$(Q)objcopy --keep-global-symbols=$(B)/lib/exports $(B)/lib/liblocum.o
	@rm -f $@
	$(Q)ar rcs $@ $(B)/lib/liblocum.o

$(B)/bin/locum-bench: $(call object,$(BENCH_SOURCES)) $(call archives,client db base) $(B)/files
	$(call link,$(PKG_locum-bench))

$(B)/bin/locum-chaos: $(B)/obj/tools/chaos/main.o $(call archives,chaos tools db base)
	$(call link,$(PKG_locum-chaos))

WITNESS := $(filter-out %/witness.c,$(wildcard tools/chaos/handler/*.c))
$(B)/harness/witness: $(call object,$(WITNESS)) $(call archives,base)
	$(call link,uuid)

# shared SOURCES: a shared object; the archives among the prerequisites stay inside of it.
define shared
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE -O2 -shared -fPIC -I. -Iinclude $(WARNINGS) $(if $(DEV),-Werror) \
		-Wl,--exclude-libs,ALL $(call pkg_config,--cflags libpq) -o $@ $(1) $(filter %.a,$^)
endef

$(B)/harness/witness.so: tools/chaos/handler/witness.c tools/chaos/handler/effect.c tools/chaos/handler/effect.h \
		$(call archives,base) $(HEADERS) $(B)/flags
	$(call shared,$(filter %.c,$^))

$(B)/harness/skew.so: tools/chaos/preload/skew.c $(B)/flags
	$(call shared,$<)

HEADERS := $(wildcard include/*.h include/locum/*.h)

define plugin
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE -O2 -shared -fPIC -Iinclude $(WARNINGS) $(if $(DEV),-Werror) \
		$(call pkg_config,--cflags libpq) -o $@ $< $(call pkg_config,--libs libpq)
endef

$(B)/plugins/%.so: examples/plugins/%.c $(HEADERS) $(B)/flags
	$(plugin)

$(B)/plugins/%.so: tests/plugins/%.c $(HEADERS) $(B)/flags
	$(plugin)

$(B)/plugins/%.so: tools/bench/plugins/%.c $(HEADERS) $(B)/flags
	$(plugin)

$(B)/handlers/%: examples/handlers/%.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) -std=c17 -D_POSIX_C_SOURCE=200809L -O2 $(WARNINGS) $(if $(DEV),-Werror) -o $@ $<

# The library as its users have it.
$(filter $(B)/tests/db/test_lib%,$(TESTS)): $(B)/lib/liblocum.so

$(TESTS): $(B)/tests/%: $(B)/obj/tests/%.o $(call archives,support dispatcher host agent chaos tools db base)
	$(call link,$(PKG_tests))

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
