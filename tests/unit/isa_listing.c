/* isa_listing.c: the instruction table and the verifier's rules as the Markdown tables that docs/nn-core.md holds. */
#include <stdio.h>
#include <string.h>

#include "device/device.h"
#include "hef/isa.h"

/* Form names in order of enum. */
static const char *const forms[] = {
#define FORM(form, constants, integers, floats) #form,
#include "hef/isa.def"
#undef FORM
};

static void put_names(const char *label, const char *names)
{
    size_t n = strlen(names);
    if (n)
        printf(" %s: %.*s.", label, (int)(n - 1), names);
}

int main(void)
{
    int n, n_rules;
    const struct sl_insn_info *table = sl_insn_table(&n);
    const struct sl_device_rule *rules = sl_device_rules(&n_rules);
    printf("| opcode | instruction | inputs | form | semantics |\n|--:|---|---|---|---|\n");
    for (int i = 0; i < n; i++) {
        char most[16] = "any";
        if (table[i].most_in >= 0)
            snprintf(most, sizeof(most), "%d", table[i].most_in);
        printf("| %u | `%s` | ", table[i].opcode, table[i].name);
        if (table[i].least_in == table[i].most_in)
            printf("%d", table[i].least_in);
        else
            printf("%d to %s", table[i].least_in, most);
        printf(" | %s | %s |\n", forms[table[i].form], table[i].semantics);
    }
    printf("\n");
    for (int f = 0; f < SL_FORM_COUNT; f++)
        for (int i = 0; i < n; i++)
            if (table[i].form == (enum sl_insn_form)f) {
                printf("- **%s**:", forms[f]);
                put_names("constants", table[i].consts);
                put_names("integers", table[i].ints);
                put_names("floats", table[i].floats);
                if (table[i].n_consts + table[i].n_ints + table[i].n_floats == 0)
                    printf(" no operands.");
                printf("\n");
                break;
            }
    printf("\n| rule | |\n|---|---|\n");
    for (int r = 0; r < n_rules; r++)
        printf("| `%s` | %s |\n", rules[r].name, rules[r].sentence);
    return 0;
}
