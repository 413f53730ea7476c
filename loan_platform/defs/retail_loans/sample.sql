-- Generated files in the raw form of this book, with the dirt of the real ones. Three customers of eight come back for
-- a second loan. `loans` started in 2023 and 2024, `applications` in the first two months of 2025, `outcomes` are theirs.
-- uniform(row, text) and normal(row, text) are given: the same row and text, the same number.
CREATE TABLE started AS
SELECT i, 'CUS_' || i % customers AS customer, normal(i % customers, 'risk') AS risk, i >= customers AS again,
    CASE WHEN i < customers THEN DATE '2023-01-01' + to_months(CAST(floor(22 * uniform(i, 'month')) AS INTEGER))
        ELSE DATE '2024-11-01' + to_months(CAST(floor(4 * uniform(i, 'month')) AS INTEGER)) END AS start
FROM (SELECT CAST(0.8 * getvariable('rows') AS BIGINT) AS customers),
    range(CAST(1.1 * getvariable('rows') AS BIGINT)) AS started(i);

-- Who is bad stops paying after some months.
CREATE TABLE lines AS
SELECT *, least(n, coalesce(stops, n)) AS paid_months, CAST(start + to_months(n) AS DATE) AS day
FROM (
    SELECT *, CASE WHEN uniform(i, 'bad') < 1 / (1 + exp(1.1 - 1.2 * risk)) THEN 1 + floor(5 * uniform(i, 'stops')) END
        AS stops
    FROM started
), range(11) AS instalments(n);

CREATE TABLE raw_lines AS
SELECT customer || '_' || strftime(start, '%Y_%m_%d') AS loan_id, customer AS "Customer_ID",
    CAST(start AS DATE) AS loan_start_date, 10 AS tenure, n AS installment_num, 10000 AS loan_amt,
    CASE n WHEN 0 THEN 0 ELSE 1000 END AS due_amt,
    CASE WHEN n > 0 AND paid_months = n THEN 1000 ELSE 0 END AS paid_amt, 1000 * (n - paid_months) AS overdue_amt,
    10000 - 1000 * paid_months AS balance, day AS snapshot_date
FROM lines ORDER BY i, n;

CREATE TABLE loans AS FROM raw_lines WHERE loan_start_date < DATE '2025-01-01';
CREATE TABLE applications AS FROM raw_lines WHERE loan_start_date >= DATE '2025-01-01' AND installment_num = 0;
CREATE TABLE outcomes AS FROM raw_lines WHERE loan_start_date >= DATE '2025-01-01';

CREATE MACRO dirty(i, what, share, dirt, clean) AS
    CASE WHEN uniform(i, 'dirt ' || what) < share THEN dirt ELSE CAST(clean AS VARCHAR) END;

CREATE TABLE attributes AS
SELECT customer AS "Customer_ID", 'Customer ' || i AS "Name",
    dirty(i, 'age', 0.04, CASE WHEN i % 2 = 0 THEN '-500' ELSE '3843_' END, 18 + floor(42 * uniform(i, 'age'))) AS "Age",
    dirty(i, 'ssn', 0.05, '#F%$D@*&8', '000-00-' || lpad(CAST(i % 10000 AS VARCHAR), 4, '0')) AS "SSN",
    dirty(i, 'job', 0.07, '_______', ['Lawyer', 'Doctor', 'Teacher', 'Media_Manager', 'Writer'][1 + i % 5])
        AS "Occupation", CAST(start AS DATE) AS snapshot_date
FROM started ORDER BY i;

CREATE TABLE financials AS
SELECT customer AS "Customer_ID",
    round(income, 2) || CASE WHEN uniform(i, 'dirt income') < 0.07 THEN '_' ELSE '' END AS "Annual_Income",
    round(income / 13, 4) AS "Monthly_Inhand_Salary",
    dirty(i, 'accounts', 0.01, '1756', greatest(0, round(5 + risk + normal(i, 'accounts')))) AS "Num_Bank_Accounts",
    dirty(i, 'cards', 0.02, '1499', greatest(0, round(5 + risk + normal(i, 'cards')))) AS "Num_Credit_Card",
    dirty(i, 'rate', 0.02, '5789', round(15 + 5 * risk + 3 * normal(i, 'rate'))) AS "Interest_Rate",
    CASE WHEN uniform(i, 'dirt loans') < 0.04 THEN '-100' ELSE open_loans || CASE i % 20 WHEN 0 THEN '_' ELSE '' END END
        AS "Num_of_Loan", NULL AS "Type_of_Loan", greatest(0, round(18 + 8 * risk + 6 * normal(i, 'delay')))
        AS "Delay_from_due_date", greatest(0, round(12 + 4 * risk + 3 * normal(i, 'late'))) || '' AS "Num_of_Delayed_Payment",
    dirty(i, 'change', 0.02, '_', round(10 + 5 * normal(i, 'change'), 2)) AS "Changed_Credit_Limit",
    greatest(0, round(6 + 2 * risk + 2 * normal(i, 'inquiries'))) AS "Num_Credit_Inquiries",
    dirty(i, 'mix', 0.2, '_', CASE WHEN risk > 0.7 THEN 'Bad' WHEN risk > -0.5 THEN 'Standard' ELSE 'Good' END)
        AS "Credit_Mix", round(1500 * exp(0.5 * risk + 0.5 * normal(i, 'debt')), 2) AS "Outstanding_Debt",
    round(32 + 4 * normal(i, 'utilisation'), 4) AS "Credit_Utilization_Ratio",
    history // 12 || ' Years and ' || history % 12 || ' Months' AS "Credit_History_Age",
    CASE WHEN uniform(i, 'minimum') < 0.1 THEN 'NM' WHEN risk + normal(i, 'minimum') > 0 THEN 'Yes' ELSE 'No' END
        AS "Payment_of_Min_Amount", round(40 * open_loans * exp(0.3 * normal(i, 'emi')), 4) AS "Total_EMI_per_month",
    dirty(i, 'invested', 0.045, '__10000__', round(150 * exp(0.6 * normal(i, 'invested') - 0.1 * risk), 4))
        AS "Amount_invested_monthly",
    dirty(i, 'behaviour', 0.08, '!@9#%8', 'Low_spent_Small_value_payments') AS "Payment_Behaviour",
    dirty(i, 'balance', 0.0005, '__-333333333333333333333333333__', round(340 * exp(0.4 * normal(i, 'left') - 0.1 * risk), 4))
        AS "Monthly_Balance", CAST(start AS DATE) AS snapshot_date
FROM (
    SELECT *, 38000 * exp(0.6 * normal(i, 'income')) AS income,
        CAST(greatest(0, round(3.5 + risk + normal(i, 'loans'))) AS INTEGER) AS open_loans,
        CAST(greatest(3, 220 - 40 * risk + 60 * normal(i, 'history')) AS INTEGER) AS history
    FROM started
) ORDER BY i;

-- Six months before the start and two after it, which no feature may see; a third of the customers have no app.
CREATE TABLE clickstream AS
SELECT
    CAST(round(100 - 15 * risk + 100 * normal(id, 'fe 1')) AS INTEGER) AS fe_1,
    CAST(round(100 + 15 * risk + 100 * normal(id, 'fe 2')) AS INTEGER) AS fe_2,
    CAST(round(100 - 15 * risk + 100 * normal(id, 'fe 3')) AS INTEGER) AS fe_3,
    CAST(round(100 + 15 * risk + 100 * normal(id, 'fe 4')) AS INTEGER) AS fe_4,
    CAST(round(100 - 15 * risk + 100 * normal(id, 'fe 5')) AS INTEGER) AS fe_5,
    CAST(round(100 + 15 * risk + 100 * normal(id, 'fe 6')) AS INTEGER) AS fe_6,
    CAST(round(100 + 100 * normal(id, 'fe 7')) AS INTEGER) AS fe_7,
    CAST(round(100 + 100 * normal(id, 'fe 8')) AS INTEGER) AS fe_8,
    CAST(round(100 + 100 * normal(id, 'fe 9')) AS INTEGER) AS fe_9,
    CAST(round(100 + 100 * normal(id, 'fe 10')) AS INTEGER) AS fe_10,
    CAST(round(100 + 100 * normal(id, 'fe 11')) AS INTEGER) AS fe_11,
    CAST(round(100 + 100 * normal(id, 'fe 12')) AS INTEGER) AS fe_12,
    CAST(round(100 + 100 * normal(id, 'fe 13')) AS INTEGER) AS fe_13,
    CAST(round(100 + 100 * normal(id, 'fe 14')) AS INTEGER) AS fe_14,
    CAST(round(100 + 100 * normal(id, 'fe 15')) AS INTEGER) AS fe_15,
    CAST(round(100 + 100 * normal(id, 'fe 16')) AS INTEGER) AS fe_16,
    CAST(round(100 + 100 * normal(id, 'fe 17')) AS INTEGER) AS fe_17,
    CAST(round(100 + 100 * normal(id, 'fe 18')) AS INTEGER) AS fe_18,
    CAST(round(100 + 100 * normal(id, 'fe 19')) AS INTEGER) AS fe_19,
    CAST(round(100 + 100 * normal(id, 'fe 20')) AS INTEGER) AS fe_20,
    customer AS "Customer_ID", day AS snapshot_date
FROM (
    SELECT *, 100 * i + m AS id, CAST(start + to_months(CAST(m AS INTEGER) - 6) AS DATE) AS day
    FROM started, range(8) AS months(m)
    WHERE uniform(i, 'app') < 0.67 AND NOT again
) ORDER BY day, i;
